"""The grammar of definitions: keyspaces, tables, types, indexes, views; and DESCRIBE."""

from __future__ import annotations

from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.functions import FunctionParser
from smackbox.cassandra.wire.cql.unreserved import UNRESERVED
from smackbox.cassandra.wire.digits import number_of
from smackbox.cassandra.wire.errors import SyntaxFault

_DESCRIBE_LISTS = ("cluster", "schema", "keyspaces", "tables", "types", "functions", "aggregates")
# definitions between commas, and after the last comma, may be empty
_EMPTY_BEFORE = frozenset({",", ")"})
_CONSTANTS = frozenset({"duration", "float", "hex", "integer", "string", "uuid"})
_CONSTANT_WORDS = frozenset({"false", "infinity", "nan", "true"})
_DESCRIBE_ONE = ("keyspace", "table", "columnfamily", "type", "function", "aggregate", "index")


class DefinitionParser(FunctionParser):
    """Statements that start with CREATE, ALTER, DROP and DESCRIBE."""

    def _select(self) -> ast.Select:
        raise NotImplementedError

    # ---- CREATE -----------------------------------------------------------------------------------------------------

    def _create(self) -> ast.Statement:
        if self.accept_word("keyspace") or self.accept_word("schema"):
            if_not_exists = self._if_not_exists()
            name = self.identifier()
            self.expect_word("with")
            return ast.CreateKeyspace(name, self._options(), if_not_exists)
        if self.accept_word("table") or self.accept_word("columnfamily"):
            return self._create_table()
        if self.accept_words("materialized", "view"):
            return self._create_view()
        if self.accept_word("type"):
            if_not_exists = self._if_not_exists()
            keyspace, name = self.qualified_name()
            self.expect("(")
            fields = [self._field_definition()]
            while self.accept(","):
                if self.token.text not in _EMPTY_BEFORE:
                    fields.append(self._field_definition())
            self.expect(")")
            return ast.CreateType(keyspace, name, tuple(fields), if_not_exists)
        if self.accept_words("custom", "index"):
            return self._create_index(custom=True)
        if self.accept_word("index"):
            return self._create_index(custom=False)
        statement = self._role_definition("create") or self._create_code()
        if statement is None:
            raise self.no_alternative()
        return statement

    def _if_not_exists(self) -> bool:
        return self.accept_words("if", "not", "exists")

    def _if_exists(self) -> bool:
        return self.accept_words("if", "exists")

    def _field_definition(self) -> tuple[str, ast.TypeName]:
        return self.identifier(), self.type_name()

    def _create_table(self) -> ast.CreateTable:
        if_not_exists = self._if_not_exists()
        keyspace, name = self.qualified_name()
        self.expect("(")
        columns: list[ast.ColumnDefinition] = []
        partition_key: tuple[str, ...] = ()
        clustering: tuple[str, ...] = ()
        primary_keys = 0
        while True:
            if self.token.text == "primary" and self.token.kind == "name":
                self.expect_word("primary")
                self.expect_word("key")
                partition_key, clustering = self._primary_key()
                primary_keys += 1
            else:
                column = self.identifier()
                kind = self.type_name()
                static = self.accept_word("static")
                mask = self._mask()
                if self.accept_words("primary", "key"):
                    partition_key = (column,)
                    primary_keys += 1
                columns.append(ast.ColumnDefinition(column, kind, static, mask))
            while self.accept(","):
                if self.token.text not in _EMPTY_BEFORE:
                    break
            else:
                break
        self.expect(")")
        order: list[tuple[str, bool]] = []
        options: dict[str, ast.OptionValue] = {}
        compact = self._table_properties(order, options)
        return ast.CreateTable(
            keyspace, name, tuple(columns), partition_key, clustering, tuple(order), options, if_not_exists, compact,
            primary_keys,
        )  # fmt: skip

    def _mask(self) -> ast.Mask | None:
        if not self.accept_words("masked", "with"):
            return None
        if self.accept_word("default"):
            return ast.Mask(None, "mask_default")
        keyspace, name = self.qualified_name()
        self.expect("(")
        arguments: tuple[ast.Expression, ...] = ()
        if self.token.text != ")":
            arguments = self.separated(self.expression)
        self.expect(")")
        return ast.Mask(keyspace, name, arguments)

    def _primary_key(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self.expect("(")
        if self.accept("("):
            partition_key = self.separated(self.identifier)
            self.expect(")")
        else:
            partition_key = (self.identifier(),)
        clustering: tuple[str, ...] = ()
        if self.accept(","):
            clustering = self.separated(self.identifier)
        self.expect(")")
        return partition_key, clustering

    def _table_properties(self, order: list[tuple[str, bool]], options: dict[str, ast.OptionValue]) -> bool:
        compact = False
        if not self.accept_word("with"):
            return compact
        while True:
            if self.accept_words("compact", "storage"):
                compact = True
            elif self.accept_words("clustering", "order", "by"):
                self.expect("(")
                order.extend(self.separated(self._clustering_order))
                self.expect(")")
            else:
                self._option(options)
            if not self.accept_word("and"):
                return compact

    def _clustering_order(self) -> tuple[str, bool]:
        column = self.identifier()
        if self.accept_word("asc"):
            return column, False
        self.expect_word("desc")
        return column, True

    def _options(self) -> dict[str, ast.OptionValue]:
        options: dict[str, ast.OptionValue] = {}
        self._option(options)
        while self.accept_word("and"):
            self._option(options)
        return options

    def _option(self, options: dict[str, ast.OptionValue]) -> None:
        name = self.identifier()
        self.expect("=")
        if name in options:
            raise SyntaxFault(f"Multiple definition for property '{name}'")
        options[name] = self._option_value()

    def _option_value(self) -> ast.OptionValue:
        if self.accept("{"):
            return self._map_option()
        token = self.token
        if token.kind == "name" and token.text in UNRESERVED:
            self.advance()
            return token.text
        return self._constant_option()

    def _map_option(self) -> dict[str, str]:
        values: dict[str, str] = {}
        if self.accept("}"):
            return values
        while True:
            key = self._constant_option()
            if key in values:
                raise SyntaxFault(f"Multiple definition for property {key}")
            self.expect(":")
            values[key] = self._constant_option()
            if not self.accept(","):
                self.expect("}")
                return values

    def _constant_option(self) -> str:
        negative = self.accept("-")
        token = self.token
        if token.kind not in _CONSTANTS and not (token.kind == "name" and token.text in _CONSTANT_WORDS):
            raise self.no_alternative()
        self.advance()
        return ("-" if negative else "") + (token.source if token.kind == "name" else token.text)

    def _create_index(self, *, custom: bool) -> ast.CreateIndex:
        if_not_exists = self._if_not_exists()
        name = self.identifier() if not (self.token.text == "on" and self.token.kind == "name") else None
        self.expect_word("on")
        keyspace, table = self.qualified_name()
        self.expect("(")
        targets: tuple[tuple[str, str], ...] = ()
        if self.token.text != ")":
            targets = self.separated(self._index_target)
        self.expect(")")
        custom_class = None
        if self.accept_word("using"):
            custom_class = self._string()
        options = self._options() if self.accept_word("with") else {}
        return ast.CreateIndex(name, keyspace, table, targets, custom_class, options, if_not_exists, custom)

    def _index_target(self) -> tuple[str, str]:
        if self.peek().text == "(" and self.token.text in {"keys", "values", "entries", "full"}:
            kind = self.advance().text
            self.expect("(")
            column = self.identifier()
            self.expect(")")
            return column, kind
        return self.identifier(), ""

    def _create_view(self) -> ast.CreateView:
        if_not_exists = self._if_not_exists()
        keyspace, name = self.qualified_name()
        self.expect_word("as")
        self.expect_word("select")
        select = self._select()
        self.expect_word("primary")
        self.expect_word("key")
        partition_key, clustering = self._primary_key()
        order: list[tuple[str, bool]] = []
        options: dict[str, ast.OptionValue] = {}
        self._table_properties(order, options)
        return ast.CreateView(keyspace, name, select, partition_key, clustering, tuple(order), options, if_not_exists)

    # ---- ALTER ------------------------------------------------------------------------------------------------------

    def _alter(self) -> ast.Statement:
        if self.accept_word("keyspace") or self.accept_word("schema"):
            if_exists = self._if_exists()
            name = self.identifier()
            self.expect_word("with")
            return ast.AlterKeyspace(name, self._options(), if_exists)
        if self.accept_word("table") or self.accept_word("columnfamily"):
            return self._alter_table()
        if self.accept_word("type"):
            return self._alter_type()
        if self.accept_words("materialized", "view"):
            if_exists = self._if_exists()
            keyspace, name = self.qualified_name()
            self.expect_word("with")
            return ast.AlterView(keyspace, name, self._options(), if_exists)
        altered = self._role_definition("alter")
        if altered is None:
            raise self.no_alternative()
        return altered

    def _alter_table(self) -> ast.AlterTable:
        if_exists = self._if_exists()
        keyspace, name = self.qualified_name()
        if self.accept_word("add"):
            if_column = self._if_not_exists()
            if self.accept("("):
                columns = self.separated(self._column_definition)
                self.expect(")")
            else:
                columns = (self._column_definition(),)
            return ast.AlterTable(keyspace, name, "add", columns, if_exists=if_exists, if_column=if_column)
        if self.accept_word("drop"):
            if self.accept_words("compact", "storage"):
                return ast.AlterTable(keyspace, name, "drop compact storage", if_exists=if_exists)
            if_column = self._if_exists()
            if self.accept("("):
                names = self.separated(self.identifier)
                self.expect(")")
            else:
                names = (self.identifier(),)
            timestamp = self._timestamp() if self.accept_words("using", "timestamp") else None
            return ast.AlterTable(
                keyspace, name, "drop", names=names, if_exists=if_exists, if_column=if_column, timestamp=timestamp
            )
        if self.accept_word("rename"):
            if_column = self._if_exists()
            renames = [self._rename()]
            while self.accept_word("and"):
                renames.append(self._rename())
            return ast.AlterTable(
                keyspace, name, "rename", renames=tuple(renames), if_exists=if_exists, if_column=if_column
            )
        if self.accept_word("alter"):
            if_column = self._if_exists()
            column = self.identifier()
            mask = self._mask()
            if mask is not None or self.accept_words("drop", "masked"):
                return ast.AlterTable(
                    keyspace, name, "mask", names=(column,), if_exists=if_exists, if_column=if_column, mask=mask
                )
            self.expect_word("type")
            kind = self.type_name()
            return ast.AlterTable(keyspace, name, "alter", (ast.ColumnDefinition(column, kind),), if_exists=if_exists)
        self.expect_word("with")
        return ast.AlterTable(keyspace, name, "with", options=self._options(), if_exists=if_exists)

    def _column_definition(self) -> ast.ColumnDefinition:
        name = self.identifier()
        kind = self.type_name()
        static = self.accept_word("static")
        return ast.ColumnDefinition(name, kind, static, self._mask())

    def _timestamp(self) -> int:
        negative = self.accept("-")
        if self.token.kind != "integer":
            raise self.mismatched("INTEGER")
        text = self.advance().text
        timestamp = -number_of(text) if negative else number_of(text)
        if not -(2**63) <= timestamp < 2**63:
            raise SyntaxFault(f'For input string: "{text}"')
        return timestamp

    def _rename(self) -> tuple[str, str]:
        old = self.identifier()
        self.expect_word("to")
        return old, self.identifier()

    def _alter_type(self) -> ast.AlterType:
        if_exists = self._if_exists()
        keyspace, name = self.qualified_name()
        if self.accept_word("add"):
            if_field = self._if_not_exists()
            fields = (self._field_definition(),)
            return ast.AlterType(keyspace, name, "add", fields, if_exists=if_exists, if_field=if_field)
        if self.accept_word("alter"):
            column = self.identifier()
            self.expect_word("type")
            kind = self.type_name()
            return ast.AlterType(keyspace, name, "alter", ((column, kind),), if_exists=if_exists)
        self.expect_word("rename")
        if_field = self._if_exists()
        renames = [self._rename()]
        while self.accept_word("and"):
            renames.append(self._rename())
        return ast.AlterType(keyspace, name, "rename", (), tuple(renames), if_exists, if_field)

    # ---- DROP -------------------------------------------------------------------------------------------------------

    def _drop(self) -> ast.Statement:
        if self.accept_word("keyspace") or self.accept_word("schema"):
            if_exists = self._if_exists()
            return ast.DropKeyspace(self.identifier(), if_exists)
        if self.accept_word("table") or self.accept_word("columnfamily"):
            if_exists = self._if_exists()
            return ast.DropTable(*self.qualified_name(), if_exists)
        if self.accept_word("index"):
            if_exists = self._if_exists()
            return ast.DropIndex(*self.qualified_name(), if_exists)
        if self.accept_word("type"):
            if_exists = self._if_exists()
            return ast.DropType(*self.qualified_name(), if_exists)
        if self.accept_words("materialized", "view"):
            if_exists = self._if_exists()
            return ast.DropView(*self.qualified_name(), if_exists)
        return self._role_definition("drop") or self._drop_code() or self._identity()

    # ---- DESCRIBE and the rest --------------------------------------------------------------------------------------

    def _describe(self) -> ast.Describe:
        sort, keyspace, name, full = "", None, None, False
        listed = next((word for word in _DESCRIBE_LISTS if self.accept_word(word)), None)
        single = None if listed else next((word for word in _DESCRIBE_ONE if self._is_describe_kind(word)), None)
        if listed:
            sort = listed
        elif self.accept_words("full", "schema"):
            sort, full = "schema", True
        elif self.accept_words("materialized", "view"):
            sort = "materialized view"
            keyspace, name = self.qualified_name()
        elif single:
            self.advance()
            sort = "table" if single == "columnfamily" else single
            if sort == "keyspace":
                name = self.identifier() if self.is_identifier() else None
            else:
                keyspace, name = self.qualified_name()
        else:
            keyspace, name = self.qualified_name()
        internals = self.accept_words("with", "internals")
        return ast.Describe(sort, keyspace, name, internals, full)

    def _is_describe_kind(self, word: str) -> bool:
        token = self.token
        return token.kind == "name" and token.text == word

    def _identity(self) -> ast.Unsupported:
        """ADD IDENTITY and DROP IDENTITY name clients by certificate, which is not supported."""
        verb = self.tokens[self.index - 1].text
        self.expect_word("identity")
        if verb == "drop":
            self.accept_words("if", "exists")
            self._string()
            return ast.Unsupported("DROP IDENTITY")
        self.accept_words("if", "not", "exists")
        self._string()
        self.expect_word("to")
        self.expect_word("role")
        self._role_name()
        return ast.Unsupported("ADD IDENTITY")
