"""The table as a function's role lets it be seen on AWS: only rows whose keys begin as template.yaml says."""

from collections.abc import Sequence
from functools import cache

from billing.ids import Key
from billing.ports import Record, Write
from tests.fakes.store import MemoryStore
from tests.house.test_template import camel, template


class WatchedStore(MemoryStore):
    """`touched`: the first letters of every key it was asked about."""

    def __init__(self, stored: MemoryStore | None = None) -> None:
        super().__init__()
        vars(self).update(vars(stored or MemoryStore()))
        self.touched: set[str] = set()

    def get(self, key: Key) -> Record | None:
        self.touch(key.pk)
        return super().get(key)

    def get_many(self, keys: Sequence[Key]) -> list[Record | None]:
        return [self.get(key) for key in keys]

    def partition(self, pk: str, prefix: str = "") -> list[Record]:
        self.touch(pk)
        return super().partition(pk, prefix)

    def commit(self, *writes: Write) -> None:
        for write in writes:
            self.touch(write.record.key.pk)
        super().commit(*writes)

    def touch(self, pk: str) -> None:
        self.touched.add(kind_of(pk))


def kind_of(pk: str) -> str:
    return pk.partition("#")[0]


class FencedStore(WatchedStore):
    """Raises where the role of `verb` would be denied."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.verb = verb

    def touch(self, pk: str) -> None:
        assert kind_of(pk) in allowed(self.verb), f"the role of {self.verb} is denied rows like {pk}: see template.yaml"
        super().touch(pk)


@cache
def allowed(verb: str) -> frozenset[str]:
    """What the role's condition lets through on AWS."""
    (policy,) = template()["Resources"][f"{camel(verb)}Role"]["Properties"]["Policies"]
    (statement,) = (one for one in policy["PolicyDocument"]["Statement"] if "dynamodb:GetItem" in one["Action"])
    local, elsewhere = statement["Condition"]["Fn::If"][1:]
    assert local == {"Ref": "AWS::NoValue"}
    patterns = elsewhere["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert all(pattern.endswith("#*") for pattern in patterns)
    return frozenset(kind_of(pattern) for pattern in patterns)
