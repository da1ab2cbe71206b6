"""The shape of a profile, as pydantic models: keys, types, bounds, and the JSON Schema that editors read.

Each value is checked where it stands. What needs two places at once (an expectation and the ports that are scanned)
is checked in `expect`, what needs the network in `resolution`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from probe.model import AddressSpec, Keep
from probe.profile import limits, values
from probe.profile.ports import parse_ports
from probe.profile.words import FORMATS, MEETINGS


class _OneOrMore:
    """A list, or a single item that stands for a list of one. In a list each item keeps its own place for errors."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_list, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        array = handler(schema)
        return {"anyOf": [array["items"], {**array, "minItems": 1}]}

    @staticmethod
    def _as_list(value: object) -> list[object]:
        if value == []:
            raise ValueError("the list is empty")
        return value if isinstance(value, list) else [value]


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


def _one_of(*words: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(words)})


_PORT = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 65535},
            {"type": "string", "pattern": "^ *[0-9A-Za-z][0-9A-Za-z ,_.+/*-]*$"},
        ]
    }
)
_SECONDS = WithJsonSchema(
    {
        "anyOf": [
            {"type": "number", "minimum": values.SHORTEST, "maximum": values.LONGEST},
            {"type": "string", "pattern": f"^{values.DURATION}$"},
        ]
    }
)
_KEEP = WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{values.KEEP}$"}]}
)
_ADDRESS = _text("^[0-9A-Za-z_.:/-]+$")

Name = Annotated[str, PlainValidator(values.name), _text(f"^{values.NAME}$")]
Path = Annotated[str, PlainValidator(values.path), _text(r"\S")]
Port = Annotated[int, PlainValidator(values.one_port), _PORT]
Ports = Annotated[tuple[int, ...], PlainValidator(values.ports), _PORT]
ExpectedPorts = Annotated[tuple[int, ...] | None, PlainValidator(values.expected_ports), _PORT]
TargetAddress = Annotated[AddressSpec, PlainValidator(values.target), _ADDRESS]
ExcludedAddress = Annotated[AddressSpec, PlainValidator(values.excluded), _ADDRESS]
ScopeAddress = Annotated[AddressSpec, PlainValidator(values.in_scope), _text("^[0-9A-Fa-f.:/-]+$")]
Word = Annotated[str, PlainValidator(values.verdict_word), _one_of(*MEETINGS)]
Format = Annotated[str, PlainValidator(values.result_format), _one_of(*FORMATS)]
Baseline = Annotated[str, PlainValidator(values.baseline), _text(r"\S")]
Stay = Annotated[str, PlainValidator(values.only("stay")), WithJsonSchema({"const": "stay"})]
Unchanged = Annotated[str, PlainValidator(values.only("unchanged")), WithJsonSchema({"const": "unchanged"})]
TargetName = Annotated[str, PlainValidator(values.word), _text(f"^{values.NAME}$")]
Service = Annotated[str, PlainValidator(values.service), _text(f"^{values.SERVICE}$")]
Seconds = Annotated[float, PlainValidator(values.seconds), _SECONDS]
KeepRuns = Annotated[Keep, PlainValidator(values.keep), _KEEP]
Integer = Annotated[int, Strict()]
Number = Annotated[float, Strict()]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScanModel(_Section):
    """How to scan."""

    tcp: Annotated[list[Ports], _OneOrMore()] = Field(
        default_factory=lambda: [parse_ports("common")],
        description="TCP ports: numbers, ranges (1-1024), table names (https-alt), well-known (1-1023), common, all. "
        "Left out: common.",
    )
    handshake: Annotated[bool, Strict()] = Field(
        default=True, description="Complete the handshake on open ports: banner, service, TLS."
    )
    locate: Annotated[bool, Strict()] = Field(
        default=False, description="Find the hop after which dropped ports are dropped, by SYNs of rising TTL."
    )
    rate: Number = Field(
        default=5000.0, gt=limits.RATE.gt, le=limits.RATE.le, description="Ceiling in packets per second."
    )
    attempts: Integer = Field(
        default=3,
        ge=limits.ATTEMPTS.ge,
        le=limits.ATTEMPTS.le,
        description="Probes to a port that stays silent, the first included.",
    )
    timeout: Seconds = Field(
        default=1.0,
        description="How long each attempt waits at least: 1s, 300ms, or seconds. Left out, it is 1s for hosts that "
        "have said nothing; those that answer are asked again after two round trips and heard out for four.",
    )
    confidence: Number = Field(
        default=0.999,
        ge=limits.CONFIDENCE.ge,
        le=limits.CONFIDENCE.le,
        description="How sure the silence of a host must be before it counts: attempts are added while answers get "
        "lost on the way.",
    )
    max_probes: Integer = Field(
        default=100_000_000,
        ge=limits.MAX_PROBES.ge,
        lt=limits.MAX_PROBES.lt,
        description="A plan of more probes than this is refused.",
    )
    seed: Integer | None = Field(
        default=None,
        ge=limits.SEED.ge,
        lt=limits.SEED.lt,
        description="Makes the order of the probes repeatable. Left out: a new one.",
    )


class ChangeModel(_Section):
    """One change that is announced: what these ports were in the baseline, and what they must be now."""

    to: Annotated[list[TargetName], _OneOrMore()] = Field(description="The target, or a list of targets.")
    tcp: Annotated[list[Ports], _OneOrMore()] = Field(description="Ports as under scan.")
    was: Annotated[list[Word], _OneOrMore()] = Field(alias="from", description="What they were, a word or a list.")
    words: Annotated[list[Word], _OneOrMore()] = Field(alias="is", description="What they must be now.")


class ExpectKeys(_Section):
    """The keys of a line in `expect`, each by itself: what can be said of a line that is not whole."""

    to: Annotated[list[TargetName], _OneOrMore()] = Field(default=[], description="The target, or a list of targets.")
    tcp: Annotated[list[ExpectedPorts], _OneOrMore()] | None = Field(
        default=None, description="Ports as under scan, or rest: every scanned port that no other line names."
    )
    words: Annotated[list[Word], _OneOrMore()] | None = Field(
        default=None, alias="is", description="What these ports must be: one word, or a list of which one must fit."
    )
    must: Stay | None = Field(default=None, description="stay: with --until, every round must meet this line.")
    service: Service | None = Field(default=None, description="The service that must answer, such as ssh or http.")
    on: Port | None = Field(default=None, description="The port that is the service's home; it is scanned in any case.")
    baseline: Baseline | None = Field(
        default=None, description="The run to compare with: last, last~1, a profile's name, or a jsonl file."
    )
    change: Annotated[list[ChangeModel], _OneOrMore()] | None = Field(
        default=None, description="What is announced to differ from the baseline."
    )
    otherwise: Unchanged | None = Field(
        default=None, description="unchanged: every other scanned port must be as it was."
    )

    @property
    def rest(self) -> bool:
        return self.tcp is not None and None in self.tcp


_FORMS = (("to", "tcp", "is"), ("to", "service", "on"), ("baseline",))
_OPTIONS = {"is": ("must",), "on": (), "baseline": ("change", "otherwise")}


def _shapes() -> list[Any]:
    """The forms as JSON Schema has it: what each requires, and what it has no place for."""
    known = {key for form in _FORMS for key in (*form, *_OPTIONS[form[-1]])}
    shapes: list[dict[str, Any]] = [
        {"required": list(form), "properties": dict.fromkeys(sorted(known - {*form, *_OPTIONS[form[-1]]}), False)}
        for form in _FORMS
    ]
    shapes[-1]["anyOf"] = [{"required": ["change"]}, {"required": ["otherwise"]}]
    return shapes


class ExpectModel(ExpectKeys):
    """One promise: by port (`tcp` and `is`), by what answers (`service` and `on`), or about a change (`baseline`)."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _shapes()})

    @model_validator(mode="after")
    def _one_form(self) -> ExpectModel:
        names = {name: info.alias or name for name, info in type(self).model_fields.items()}
        if complaint := _form_complaint([key for name, key in names.items() if getattr(self, name) not in (None, [])]):
            raise ValueError(complaint)
        if self.rest and len(self.tcp or ()) > 1:
            raise ValueError("'rest' stands alone (name the other ports in a line of their own)")
        return self


_PARTNERS = {"tcp": "is", "is": "tcp", "service": "on", "on": "service"}


def _form_complaint(keys: list[str]) -> str | None:
    """What is wrong with these keys together; `keys` in the order of the model."""
    if "baseline" in keys or "change" in keys or "otherwise" in keys:
        return _contract_complaint(keys)
    forms = "(write 'tcp' and 'is', or 'service' and 'on')"
    if "to" not in keys:
        return "the key 'to' is missing"
    about = [key for key in keys if key in _PARTNERS]
    if not about:
        return f"nothing is expected here {forms}"
    missing = _PARTNERS[about[0]]
    strangers = [key for key in about if key not in (about[0], missing)]
    if strangers:
        return f"{about[0]!r} and {strangers[0]!r} in one line {forms}"
    if missing not in about:
        return f"the key {missing!r} is missing"
    return "'must' belongs to a line with 'tcp' and 'is'" if "must" in keys and "service" in about else None


def _contract_complaint(keys: list[str]) -> str | None:
    forms = "(write 'baseline' with 'change', 'otherwise', or both)"
    if "baseline" not in keys:
        return f"the key 'baseline' is missing {forms}"
    strangers = [key for key in keys if key not in ("baseline", "change", "otherwise")]
    if strangers:
        return f"'baseline' and {strangers[0]!r} in one line {forms}"
    return None if len(keys) > 1 else f"nothing is expected here {forms}"


class ResultsModel(_Section):
    """Files to write."""

    dir: Path = Field(default="results", description="The folder, relative to where probe is started.")
    formats: Annotated[list[Format], _OneOrMore()] = Field(default=["jsonl"], description=f"{', '.join(FORMATS)}.")
    history: Path | None = Field(
        default=None, description="The file that remembers runs. Left out: the user's own, in the state directory."
    )
    keep: KeepRuns | None = Field(
        default=None, description="Runs of this profile that stay in the history: the last 50, or those of 90d."
    )


class ProfileModel(_Section):
    """What to scan, how, and what the network promises."""

    version: Annotated[int, PlainValidator(values.version), WithJsonSchema({"const": 1})] = Field(
        description="The version of this format."
    )
    name: Name = Field(description="A short name; result files are called by it.")
    lab: Path | None = Field(
        default=None,
        description="A rehearsal network to run in, relative to this file. Without it the real network is tested.",
    )
    vantage: Name | None = Field(default=None, description="The lab host to scan from.")
    targets: dict[Name, Annotated[list[TargetAddress], _OneOrMore()]] = Field(
        min_length=1,
        description="Name: an address, CIDR, range (198.18.1.10-20), host name, or a list of them.",
        json_schema_extra={"additionalProperties": False},
    )
    scope: Annotated[list[ScopeAddress], _OneOrMore()] | None = Field(
        default=None, description="No packet leaves these networks. Left out: the addresses written under targets."
    )
    exclude: Annotated[list[ExcludedAddress], _OneOrMore()] | None = Field(
        default=None, description="What is never scanned, though a target holds it."
    )
    scan: ScanModel = Field(description="How to scan.")
    expect: list[ExpectModel] = Field(default=[], description="What the network promises.")
    results: ResultsModel | None = Field(default=None, description="Files to write beside what -o asks for.")


class _Generator(GenerateJsonSchema):
    """An absent value is an error in a profile, so no key may be null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value is not None}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a profile."""
    made = ProfileModel.model_json_schema(schema_generator=_Generator)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "probe profile"}
