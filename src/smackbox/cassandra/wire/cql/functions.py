"""The grammar of statements that define code: functions, aggregates and triggers."""

from __future__ import annotations

from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.roles import RoleParser


class FunctionParser(RoleParser):
    """CREATE and DROP of functions, aggregates and triggers."""

    def _create_code(self) -> ast.Statement | None:
        """The rest of a CREATE statement of this kind; otherwise None, and nothing is consumed."""
        or_replace = self.accept_words("or", "replace")
        if self.accept_word("function"):
            return self._create_function(or_replace)
        if self.accept_word("aggregate"):
            return self._create_aggregate(or_replace)
        if or_replace:
            raise self.no_alternative()
        return self._create_trigger() if self.accept_word("trigger") else None

    def _drop_code(self) -> ast.Statement | None:
        for kind in ("Function", "Aggregate"):
            if self.accept_word(kind.lower()):
                return self._drop_function(kind)
        if not self.accept_word("trigger"):
            return None
        if_exists = self.accept_words("if", "exists")
        name = self.identifier()
        self.expect_word("on")
        keyspace, table = self.qualified_name()
        return ast.DropTrigger(keyspace, table, name, if_exists)

    def _create_function(self, or_replace: bool) -> ast.CreateFunction:
        if_not_exists = self.accept_words("if", "not", "exists")
        keyspace, name = self.qualified_name()
        self.expect("(")
        if not self.accept(")"):
            self.separated(self._argument)
            self.expect(")")
        if not self.accept_words("returns", "null"):
            self.expect_word("called")
        for word in ("on", "null", "input", "returns"):
            self.expect_word(word)
        self.type_name()
        self.expect_word("language")
        self.identifier()
        self.expect_word("as")
        self._string()
        return ast.CreateFunction(keyspace, name, or_replace, if_not_exists)

    def _argument(self) -> ast.TypeName:
        self.identifier()
        return self.type_name()

    def _create_aggregate(self, or_replace: bool) -> ast.CreateAggregate:
        if_not_exists = self.accept_words("if", "not", "exists")
        keyspace, name = self.qualified_name()
        arguments = self._argument_types()
        self.expect_word("sfunc")
        state_function = self.identifier()
        self.expect_word("stype")
        state_type = self.type_name()
        if self.accept_word("finalfunc"):
            self.identifier()
        if self.accept_word("initcond"):
            self.expression()
        return ast.CreateAggregate(keyspace, name, arguments, state_function, state_type, or_replace, if_not_exists)

    def _argument_types(self) -> tuple[ast.TypeName, ...]:
        self.expect("(")
        if self.accept(")"):
            return ()
        kinds = self.separated(self.type_name)
        self.expect(")")
        return kinds

    def _drop_function(self, kind: str) -> ast.DropFunction:
        if_exists = self.accept_words("if", "exists")
        keyspace, name = self.qualified_name()
        arguments = self._argument_types() if self.token.text == "(" else None
        return ast.DropFunction(kind, keyspace, name, arguments, if_exists)

    def _create_trigger(self) -> ast.CreateTrigger:
        if_not_exists = self.accept_words("if", "not", "exists")
        name = self.identifier()
        self.expect_word("on")
        keyspace, table = self.qualified_name()
        self.expect_word("using")
        return ast.CreateTrigger(keyspace, table, name, self._string(), if_not_exists)
