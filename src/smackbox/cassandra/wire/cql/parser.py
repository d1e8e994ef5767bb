"""The grammar of CQL as recursive descent: statements that read and write. Definitions are in `definitions`.

It follows `Parser.g` of Cassandra 5: unreserved keywords may be names of columns, tables and functions.
"""

from __future__ import annotations

from collections.abc import Callable

from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.definitions import DefinitionParser
from smackbox.cassandra.wire.cql.lexer import tokenize
from smackbox.cassandra.wire.errors import SyntaxFault

_COMPARISONS = frozenset({"=", "<", "<=", ">", ">=", "!="})


def parse(text: str) -> tuple[ast.Statement, tuple[ast.Bind, ...]]:
    """The statement, and its bind markers in order. Raises `SyntaxFault`."""
    parser = Parser(text)
    statement = parser.statement()
    return statement, tuple(parser.binds)


class Parser(DefinitionParser):
    """The tokens of one statement and the position in them."""

    def __init__(self, text: str) -> None:
        super().__init__(text, tokenize(text))

    def statement(self) -> ast.Statement:
        """One statement. Raises `SyntaxFault`."""
        starters: dict[str, Callable[[], ast.Statement]] = {
            "select": self._select,
            "insert": self._insert,
            "update": self._update,
            "delete": self._delete,
            "begin": self._batch,
            "truncate": self._truncate,
            "use": self._use,
            "create": self._create,
            "alter": self._alter,
            "drop": self._drop,
            "describe": self._describe,
            "desc": self._describe,
            "grant": self._grant,
            "revoke": self._revoke,
            "list": self._list,
            "add": self._identity,
        }
        token = self.token
        starter = starters.get(token.text) if token.kind == "name" else None
        if starter is None:
            raise self.no_alternative()
        self.advance()
        statement = starter()
        while self.accept(";"):
            pass
        if self.token.kind != "end":
            raise self.mismatched("EOF")
        return statement

    # ---- SELECT -----------------------------------------------------------------------------------------------------

    def _select(self) -> ast.Select:
        json = self._accept_modifier("json")
        distinct = self._accept_modifier("distinct")
        selectors: tuple[ast.Selector, ...] = ()
        if not self.accept("*"):
            selectors = self.separated(self._selector)
        self.expect_word("from")
        keyspace, table = self.qualified_name()
        where = self._where() if self.accept_word("where") else ()
        group_by: tuple[ast.Expression, ...] = ()
        if self.accept_words("group", "by"):
            group_by = self.separated(lambda: self.expression(columns=True))
        order_by: tuple[ast.Ordering, ...] = ()
        if self.accept_words("order", "by"):
            order_by = self.separated(self._ordering)
        per_partition_limit = self.int_value() if self.accept_words("per", "partition", "limit") else None
        limit = self.int_value() if self.accept_word("limit") else None
        allow_filtering = self.accept_words("allow", "filtering")
        return ast.Select(
            keyspace, table, selectors, distinct, json, where, group_by, order_by, per_partition_limit, limit,
            allow_filtering,
        )  # fmt: skip

    def _accept_modifier(self, word: str) -> bool:
        """A word such as JSON after SELECT, unless it is the name of a column."""
        following = self.peek()
        named = following.text in {",", "(", ".", "["} or (
            following.kind == "name" and following.text in {"from", "as"}
        )
        return not (self.token.text == word and named) and self.accept_word(word)

    def _selector(self) -> ast.Selector:
        value = self.expression(columns=True)
        alias = self.identifier() if self.accept_word("as") else None
        return ast.Selector(value, alias)

    def _ordering(self) -> ast.Ordering:
        column = self.identifier()
        if self.accept_words("ann", "of"):
            query = self.expression()
            return ast.Ordering(column, self._descending(), query)
        return ast.Ordering(column, self._descending())

    def _descending(self) -> bool:
        descending = self.accept_word("desc")
        if not descending:
            self.accept_word("asc")
        return descending

    def _where(self) -> tuple[ast.Relation, ...]:
        relations: list[ast.Relation] = []
        self._relation(relations)
        while self.accept_word("and"):
            self._relation(relations)
        return tuple(relations)

    def _relation(self, relations: list[ast.Relation]) -> None:
        token = self.token
        if token.kind == "name" and token.text == "token" and self.peek().text == "(":
            self.advance()
            self.expect("(")
            columns = self.separated(self.identifier)
            self.expect(")")
            relations.append(ast.Relation(columns, self._comparison(), self.expression(), token=True))
            return
        if token.text == "(" and token.kind == "operator":
            self._multi_relation(relations)
            return
        column = self.identifier()
        element = None
        if self.accept("["):
            element = self.expression()
            self.expect("]")
        relations.append(self._single_relation(column, element))

    def _single_relation(self, column: str, element: ast.Expression | None) -> ast.Relation:
        columns = (column,)
        if element is not None:
            return ast.Relation(columns, self._comparison(), self.expression(), element=element)
        if self.accept_word("in"):
            return ast.Relation(columns, "IN", self._in_values())
        if self.accept_word("contains"):
            kind = "CONTAINS KEY" if self.accept_word("key") else "CONTAINS"
            return ast.Relation(columns, kind, self.expression())
        if self.accept_word("like"):
            return ast.Relation(columns, "LIKE", self.expression())
        if self.accept_words("is", "not"):
            self.expect_word("null")
            return ast.Relation(columns, "IS NOT NULL", None)
        return ast.Relation(columns, self._comparison(), self.expression())

    def _multi_relation(self, relations: list[ast.Relation]) -> None:
        start = self.index
        self.expect("(")
        if self.token.text == "(" or self.peek().text not in {",", ")"}:
            # a relation in parentheses
            self._relation(relations)
            self.expect(")")
            return
        columns = self.separated(self.identifier)
        self.expect(")")
        if self.accept_word("in"):
            relations.append(ast.Relation(columns, "IN", self._in_values(), multi=True))
        elif self.token.text in _COMPARISONS:
            operator = self._comparison()
            if self.token.text not in {"(", "?", ":"}:
                raise self.no_alternative()
            relations.append(ast.Relation(columns, operator, self.expression(), multi=True))
        else:
            self.index = start
            raise self.no_alternative()

    def _in_values(self) -> ast.Expression | tuple[ast.Expression, ...]:
        if self.token.text != "(":
            return self.bind()
        self.expect("(")
        if self.accept(")"):
            return ()
        values = self.separated(self.expression)
        self.expect(")")
        return values

    def _comparison(self) -> str:
        token = self.token
        if token.kind != "operator" or token.text not in _COMPARISONS:
            raise self.no_alternative()
        self.advance()
        return token.text

    # ---- INSERT, UPDATE, DELETE -------------------------------------------------------------------------------------

    def _insert(self) -> ast.Insert:
        self.expect_word("into")
        keyspace, table = self.qualified_name()
        columns: tuple[str, ...] = ()
        values: tuple[ast.Expression, ...] = ()
        json = None
        default_unset = False
        if self.accept_word("json"):
            json = self.expression()
            if self.accept_word("default"):
                default_unset = self.accept_word("unset")
                if not default_unset:
                    self.expect_word("null")
        else:
            self.expect("(")
            columns = self.separated(self.identifier)
            self.expect(")")
            self.expect_word("values")
            self.expect("(")
            values = self.separated(self.expression)
            self.expect(")")
        if_not_exists = self.accept_words("if", "not", "exists")
        return ast.Insert(keyspace, table, columns, values, self._using(), if_not_exists, json, default_unset)

    def _using(self) -> ast.Using:
        if not self.accept_word("using"):
            return ast.Using()
        timestamp = ttl = None
        while True:
            if self.accept_word("timestamp"):
                timestamp = self.int_value()
            elif self.accept_word("ttl"):
                ttl = self.int_value()
            else:
                raise self.no_alternative()
            if not self.accept_word("and"):
                return ast.Using(timestamp, ttl)

    def _update(self) -> ast.Update:
        keyspace, table = self.qualified_name()
        using = self._using()
        self.expect_word("set")
        assignments = self.separated(self._assignment)
        _check_assignments(assignments)
        self.expect_word("where")
        where = self._where()
        if_exists, conditions = self._if()
        return ast.Update(keyspace, table, using, assignments, where, conditions, if_exists)

    def _assignment(self) -> ast.Assignment:
        column = self.identifier()
        if self.accept("["):
            element = self.expression()
            self.expect("]")
            self.expect("=")
            return ast.Assignment(column, "element", self.expression(), element=element)
        if self.accept("."):
            field = self.identifier()
            self.expect("=")
            return ast.Assignment(column, "field", self.expression(), field=field)
        if self.accept("+"):
            self.expect("=")
            return ast.Assignment(column, "add", self.expression())
        if self.accept("-"):
            self.expect("=")
            return ast.Assignment(column, "subtract", self.expression())
        self.expect("=")
        return self._assigned(column)

    def _assigned(self, column: str) -> ast.Assignment:
        following = self.peek()
        if self.is_identifier() and following.kind == "operator" and following.text in {"+", "-"}:
            source = self.identifier()
            if source != column:
                raise self.only_same_column(column)
            kind = "add" if self.token.text == "+" else "subtract"
            self.advance()
            return ast.Assignment(column, kind, self.expression())
        if self.is_identifier() and following.kind == "integer":
            raise self.no_alternative()
        value = self.expression(stop_at_column=True)
        if self.token.text == "+" and self.token.kind == "operator":
            self.advance()
            if self.identifier() != column:
                raise self.only_same_column(column)
            return ast.Assignment(column, "prepend", value)
        return ast.Assignment(column, "set", value)

    def _delete(self) -> ast.Delete:
        targets: tuple[ast.Deletion, ...] = ()
        if not (self.token.kind == "name" and self.token.text == "from"):
            targets = self.separated(self._deletion)
        self.expect_word("from")
        keyspace, table = self.qualified_name()
        using = ast.Using()
        if self.accept_words("using", "timestamp"):
            using = ast.Using(self.int_value())
        self.expect_word("where")
        where = self._where()
        if_exists, conditions = self._if()
        return ast.Delete(keyspace, table, targets, using, where, conditions, if_exists)

    def _deletion(self) -> ast.Deletion:
        column = self.identifier()
        if self.accept("["):
            element = self.expression()
            self.expect("]")
            return ast.Deletion(column, element=element)
        if self.accept("."):
            return ast.Deletion(column, field=self.identifier())
        return ast.Deletion(column)

    def _if(self) -> tuple[bool, tuple[ast.Condition, ...]]:
        if not self.accept_word("if"):
            return False, ()
        if self.accept_word("exists"):
            return True, ()
        conditions = [self._condition()]
        while self.accept_word("and"):
            conditions.append(self._condition())
        return False, tuple(conditions)

    def _condition(self) -> ast.Condition:
        column = self.identifier()
        element: ast.Expression | None = None
        field = None
        if self.accept("["):
            element = self.expression()
            self.expect("]")
        elif self.accept("."):
            field = self.identifier()
        if self.accept_word("in"):
            return ast.Condition(column, "IN", self._in_values(), element, field)
        if element is None and field is None and self.accept_word("contains"):
            kind = "CONTAINS KEY" if self.accept_word("key") else "CONTAINS"
            return ast.Condition(column, kind, self.expression(), element, field)
        return ast.Condition(column, self._comparison(), self.expression(), element, field)

    def _batch(self) -> ast.Batch:
        kind = "logged"
        if self.accept_word("unlogged"):
            kind = "unlogged"
        elif self.accept_word("counter"):
            kind = "counter"
        self.expect_word("batch")
        using = self._using()
        statements: list[ast.Modification] = []
        while not self.accept_words("apply", "batch"):
            if self.accept_word("insert"):
                statements.append(self._insert())
            elif self.accept_word("update"):
                statements.append(self._update())
            elif self.accept_word("delete"):
                statements.append(self._delete())
            else:
                raise self.no_alternative()
            self.accept(";")
        return ast.Batch(kind, using, tuple(statements))

    def _truncate(self) -> ast.Truncate:
        if not self.accept_word("table"):
            self.accept_word("columnfamily")
        return ast.Truncate(*self.qualified_name())

    def _use(self) -> ast.Use:
        return ast.Use(self.identifier())


def _check_assignments(assignments: tuple[ast.Assignment, ...]) -> None:
    """A column that is set as a whole cannot be modified in another way by the same statement."""
    earlier: dict[str, list[ast.Assignment]] = {}
    for assignment in assignments:
        for other in earlier.setdefault(assignment.column, []):
            same_field = assignment.field is not None and assignment.field == other.field
            if "set" in {assignment.kind, other.kind} or same_field:
                raise SyntaxFault(f"Multiple incompatible setting of column {assignment.column}")
        earlier[assignment.column].append(assignment)
