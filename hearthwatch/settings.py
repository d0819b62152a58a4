"""Every option, typed, with its meaning. Built once in ``hearthwatch.run``; everything else receives plain values.

Sources, strongest first: command-line options, environment (``HEARTHWATCH_<OPTION>``), files named ``hearthwatch_<option>`` in the
folder ``HEARTHWATCH_SECRETS_DIR``, the TOML file named by ``HEARTHWATCH_CONFIG`` (or ``hearthwatch.toml`` in the working folder), the
defaults below.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from hearthwatch.errors import Invalid

CONFIG_VARIABLE = "HEARTHWATCH_CONFIG"
SECRETS_VARIABLE = "HEARTHWATCH_SECRETS_DIR"

_WatchedGauge = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}:(more|less)$")]


class Webhook(BaseModel):
    """A system of the maker's own that hears what becomes of notices and tickets. Two secrets: while one is replaced by the other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr
    secrets: Annotated[tuple[SecretStr, ...], Field(min_length=1, max_length=2)]
    events: tuple[str, ...] = ("notice.*", "ticket.*")


class Settings(BaseSettings):
    """All options of the platform."""

    model_config = SettingsConfigDict(env_prefix="HEARTHWATCH_", extra="forbid", frozen=True)

    # -- where things are
    data_dir: Path = Field(Path("var"), description="Folder for everything the embedded stores write.")
    telemetry: str = Field("", description="Address of the telemetry store; empty: duckdb in `data_dir`.")
    records: str = Field("", description="Address of the records; empty: sqlite in `data_dir`.")
    history_dir: Path | None = Field(
        None,
        description="Folder with histories to backtest from the pages, each in a folder of its own; empty: `history` in `data_dir`. Every"
        " process with the role `api` or `jobs` must see it.",
    )
    history_upload_bytes: int = Field(
        4 * 1024**3, ge=0, description="Uploads are taken until `history_dir` holds so many bytes; 0 takes none."
    )
    broker: str = Field(
        "mqtt://127.0.0.1:1883",
        description="Address of the MQTT broker: mqtt://, mqtts:// (user and password in the address) or local://.",
    )

    # -- ingest
    client_id: str = Field(
        "hearthwatch-ingest",
        description="Begins the MQTT client ids of the ingestors, which name their persistent sessions; the same for all ingestors of an"
        " installation, and another for each installation on one broker.",
    )
    conventions: Annotated[tuple[str, ...], NoDecode] = Field(
        ("native", "homie", "sparkplug", "zigbee2mqtt", "tasmota", "shelly_gen1", "shelly_gen2", "home_assistant"),
        description="Device conventions to listen to, separated by commas. A name may be followed by where it speaks, several times:"
        " `zigbee2mqtt@house/z2m`, `homie@site/homie`, `home_assistant@acme/+/telemetry`; see docs/wire.md.",
    )
    mappings: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description="Mapping files (TOML) of makers' own topics, separated by commas; each is a convention beside those above, see"
        " docs/wire.md.",
    )
    session_expiry_s: int = Field(
        7 * 86_400, ge=0, description="How long the broker keeps our session while we are away, in seconds."
    )
    receive_maximum: int = Field(
        5000,
        ge=10,
        le=65_535,
        description="Messages in flight before the broker must wait: a batch that is stored, one that is decoded, and what comes.",
    )
    batch_messages: int = Field(2000, ge=1, description="A batch is stored when it has this many messages,")
    batch_bytes: int = Field(1_048_576, ge=1024, description="or this many bytes of payload,")
    batch_seconds: float = Field(0.25, gt=0, description="or is this old, in seconds.")
    max_payload_bytes: int = Field(4_194_304, ge=256, description="Larger messages are quarantined unread, in bytes.")
    metric_budget: int = Field(
        512, ge=1, description="Distinct metric names the fleet may create; later ones are quarantined."
    )
    unknown_devices: Literal["register", "quarantine", "refuse"] = Field(
        "register",
        description="What becomes of a device that nobody registered: `register` takes it in, within the two budgets that follow;"
        " `quarantine` keeps its messages until somebody enrolls it; `refuse` counts them and lets them go. See docs/provisioning.md.",
    )
    device_budget_per_day: int = Field(
        10_000, ge=0, description="Unregistered devices that are taken in on a day (UTC); later ones are quarantined."
    )
    device_budget: int = Field(
        1_000_000, ge=0, description="Devices in all from which on unregistered ones are quarantined."
    )
    broker_password_file: Path | None = Field(
        None, description="Mosquitto's password file, to which `hearthwatch device enroll` adds devices."
    )
    device_authority: Path | None = Field(
        None,
        description="Folder with `ca.crt` and `ca.key` of the authority that signs devices' certificates (`device enroll --certificate`).",
    )
    device_broker: str = Field(
        "",
        description="Address under which devices reach the broker, as `device enroll` prints it; empty: that of `broker`.",
    )
    join_devices: Literal["auto", "ask"] = Field(
        "auto",
        description="Two ids that tell one hardware address: `auto` makes them one device unless users or serial numbers contradict; `ask`"
        " also asks a person where only the address speaks for it. Set `ask` where each device has a user of its own at the broker.",
    )
    clock_skew_s: int = Field(300, ge=0, description="How far in the future a device's time may lie, in seconds.")
    spool_max_bytes: int = Field(
        4 << 30,
        ge=0,
        description="Size of the spool in `data_dir` that takes messages while a store is away, for each session of an ingestor, in bytes;"
        " when it is full, nothing is acknowledged. 0: no spool.",
    )
    spool_max_age_s: int = Field(
        7 * 86_400, ge=60, description="An ingestor is not well when a message waits longer in the spool, in seconds."
    )
    spool_free_share: float = Field(0.1, ge=0, lt=1, description="Share of the disk that the spool leaves free,")
    spool_free_bytes: int = Field(1 << 30, ge=0, description="and at least so many bytes.")
    spool_after_failures: int = Field(
        3, ge=1, description="Messages go to the spool after a store was away so many times in a row,"
    )
    spool_after_s: float = Field(5.0, gt=0, description="or for so long, in seconds.")
    ask_devices: bool = Field(
        True,
        description="Whether devices are asked by themselves for what their protocol needs: a Sparkplug rebirth after a gap, the "
        "firmware of a Shelly or Tasmota that did not tell it; see docs/commands.md.",
    )
    raw_days: int = Field(30, ge=1, description="Days to keep raw readings.")
    rollup_days: int = Field(730, ge=1, description="Days to keep hourly rollups.")

    # -- analytics
    liveness_will_grace_s: float = Field(
        120, ge=0, description="How long after its last will a device may reconnect before it is offline, in seconds."
    )
    liveness_silent_h: float = Field(
        24,
        gt=0,
        description="Hours a device on the mains may be offline before that is a finding; on a battery twice as many, "
        "a sleepy one four times.",
    )
    liveness_mass_minimum: int = Field(
        5, ge=2, description="Homes that must fall silent at once before that can be an incident."
    )
    liveness_flaps: int = Field(4, ge=2, description="A device that goes away so often within two hours flaps.")
    liveness_days: float = Field(90, gt=0, description="Days to keep devices' timelines of states.")
    false_alarms_per_1000_device_days: float = Field(
        0.5, gt=0, le=100, description="Declared rate of false device anomalies."
    )
    recover_hours: float = Field(24, gt=0, description="A finding recovers after this many quiet hours.")
    relapse_days: float = Field(7, ge=0, description="A relapse within this many days reopens the same episode.")
    cohort_margin: float = Field(1.05, ge=1, description="Ratio up to which a release is not called worse.")
    cohort_guard: int = Field(
        30, ge=1, description="Devices with events per arm below which only the exact test may speak."
    )
    cohort_burn_in_h: float = Field(24, ge=0, description="Hours left out after a device's update.")
    cohort_page_fdr: float = Field(
        0.10, gt=0, lt=1, description="Share of false discoveries allowed among releases called worse."
    )
    cohort_watch_fdr: float = Field(0.20, gt=0, lt=1, description="The same for the watch list.")
    cohort_gauges: Annotated[tuple[_WatchedGauge, ...], NoDecode] = Field(
        (),
        description="Further gauges to watch for every release, separated by commas, each with the side that is worse: "
        "`motor_current_a:more,frame_rate_fps:less`; see docs/metrics.md.",
    )
    prognosis_min_failures: int = Field(
        20, ge=1, description="Failures a part needs in the history before its prognosis may speak."
    )
    prognosis_alarm: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Probability of failure within 30 days that makes a finding, where no costs say otherwise; within 7 days it makes a"
        " critical one.",
    )
    prognosis_costs_file: Path | None = Field(
        None,
        description="TOML file with what failures, planned repairs, notices and false alarms of each part cost; it decides instead of"
        " `prognosis_alarm`. Empty: that one probability holds for all parts. See docs/prognosis.md.",
    )
    prognosis_budget_per_1000_device_weeks: float = Field(
        25,
        ge=0,
        le=1000,
        description="Findings of prognosis that may open within a week for each 1,000 devices in service (a smaller fleet counts as 1,000);"
        " the best go first, the others wait. 0: any number.",
    )

    model_no_fault_found_allowed: float = Field(
        0.4,
        gt=0,
        lt=1,
        description="Share of a model's findings that may end as no_fault_found before it is demoted; more where the model itself gave"
        " them a lower probability. See docs/models.md.",
    )

    # -- alerts
    policy_file: Path | None = Field(None, description="Policy file; empty: the one that comes with Hearthwatch.")
    link_days: int = Field(30, ge=1, description="Days a customer's link stays valid.")
    mail_server: SecretStr = Field(
        SecretStr(""),
        description="Mail server for customers' `mailto:` addresses: mailtos://user:password@smtp.example.com?from=care@example.com.",
    )
    channels: dict[str, SecretStr] = Field(
        {},
        description="Further ways to reach people, each a name and an Apprise URL with `{to}` where the receiver stands:"
        ' `{"sms": "twilio://SID:TOKEN@+15551230000/{to}"}` makes `sms:+4917012345` an address. See docs/delivery.md.',
    )
    webhooks: dict[str, Webhook] = Field(
        {},
        description="Systems of the maker's own that hear, signed, what becomes of notices and tickets; each a name with `url` (https://),"
        " `secrets` (one, or two while one is replaced) and `events`. See docs/delivery.md.",
    )
    outbox_give_up_h: float = Field(
        36, gt=0, description="Hours a letter is tried where its reader has no other address,"
    )
    outbox_fall_back_h: float = Field(6, gt=0, description="and where there is another one to go on to.")
    rollout_service: SecretStr = Field(
        SecretStr(""),
        description="The system that deploys firmware beside Hearthwatch, which the release gate pauses and leads on: Eclipse hawkBit as"
        " `hawkbits://user:password@host[:port]` (`hawkbit://` without TLS); empty: none. See docs/rollouts.md.",
    )
    rollout_webhook: SecretStr = Field(
        SecretStr(""),
        description="Address (https://) to which every decision about a roll-out is posted, signed; empty: none. See docs/rollouts.md.",
    )
    rollout_webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs what is posted to `rollout_webhook`: `whsec_` and base64 as in Standard Webhooks, or any text of 24 bytes; while"
        " one replaces another, two of the first kind separated by a space.",
    )
    service_desk: SecretStr = Field(
        SecretStr(""),
        description="The service desk beside Hearthwatch in which tickets are shown and worked, too: Zammad as"
        " `zammads://TOKEN@host?group=GROUP&customer=MAIL`, one of your own as `webhooks://host/path` (`zammad://`, `webhook://` without"
        " TLS); empty: none. See docs/mirrors.md.",
    )
    service_desk_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs what passes between Hearthwatch and the desk: Zammad's signature token, or a secret as in"
        " `rollout_webhook_secret`.",
    )
    service_desk_language: str = Field("en", description="Language of what the desk is told (`en`, `zh_Hans`).")
    service_desk_customers: bool = Field(
        False, description="Whether the desk may know the names and mail addresses of customers."
    )
    inbound_mailbox: SecretStr = Field(
        SecretStr(""),
        description="Mailbox from which customers' mail is fetched every minute: `imaps://user:password@host/INBOX` (`imap://` without"
        " TLS); empty: mail comes by `hearthwatch ticket mail` or `POST /api/v1/inbound-mail`. See docs/intake.md.",
    )
    inbound_mail_server: str = Field(
        "",
        description="Name (authserv-id) of the own mail server, whose word on DMARC in `Authentication-Results` is believed; empty: no"
        " mail counts as surely sent by its customer.",
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs sessions and customer links; empty: one is made in `data_dir` at first start. With `--role api` it must be set.",
    )
    public_url: str = Field("http://127.0.0.1:8080", description="Address under which customers reach the pages.")
    brand_name: str = Field("Hearthwatch", description="Name of the maker in notices and on customer pages.")
    brand_reply_to: str = Field("", description="Mail address that answers to letters go to; empty: the sender's.")
    brand_phone: str = Field("", description="Service phone number in notices.")
    brand_privacy_url: str = Field("", description="Link to the privacy statement.")

    # -- pages and API
    host: str = Field(
        "127.0.0.1", description="Interface to listen on; other than 127.0.0.1 only once an account exists."
    )
    port: int = Field(
        8080,
        ge=0,
        le=65_535,
        description="Port of the pages and the API, or of health and metrics in a process without them; 0 takes a free one.",
    )
    session_hours: float = Field(12, gt=0, description="Hours until a person has to sign in again.")

    # -- logs
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged to standard error."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of log lines.")

    @field_validator("conventions", "mappings", "cohort_gauges", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def telemetry_address(self) -> str:
        """The telemetry store's address, default filled in."""
        return self.telemetry or f"duckdb:///{self.data_dir / 'telemetry.duckdb'}"

    @property
    def history_folder(self) -> Path:
        """Where histories lie, default filled in."""
        return self.history_dir or self.data_dir / "history"

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Every way out of the house, by the name the outbox uses."""
        return (
            *("mailbox", "mqtt", "rollouts"),
            *(("mail",) if self.mail_server.get_secret_value() else ()),
            *self.channels,
            *(("webhook",) if self.rollout_webhook.get_secret_value() else ()),
            *(f"webhook:{name}" for name in self.webhooks),
        )

    @property
    def records_address(self) -> str:
        """The records' address, default filled in."""
        return self.records or f"sqlite:///{self.data_dir / 'records.sqlite3'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options, then environment, then secret files, then the TOML file."""
        folder = os.environ.get(SECRETS_VARIABLE)
        secrets = [SecretsSettingsSource(settings_cls, secrets_dir=folder)] if folder else []
        return init_settings, env_settings, *secrets, TomlConfigSettingsSource(settings_cls, toml_file=_config_file())


def load_settings(**options: object) -> Settings:
    """Read all sources. Raises `Invalid` with one line that names the wrong option and what was wrong with it."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not Path(named).is_file():
        raise Invalid(f"the file {named} does not exist", where=CONFIG_VARIABLE)
    secrets = os.environ.get(SECRETS_VARIABLE)
    if secrets and not Path(secrets).is_dir():
        raise Invalid(f"the folder {secrets} does not exist", where=SECRETS_VARIABLE)
    options_known = {f"HEARTHWATCH_{name.upper()}" for name in Settings.model_fields}
    known = options_known | {CONFIG_VARIABLE, SECRETS_VARIABLE, *_OTHER_VARIABLES}
    for variable in os.environ:
        if variable.startswith("HEARTHWATCH_") and not variable.startswith(_TESTS) and variable not in known:
            raise Invalid("there is no such option", where=variable)
    try:
        return Settings(**options)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        message = "there is no such option" if first["type"] == "extra_forbidden" else first["msg"]
        if first["loc"] and first["loc"][0] in _SECRET:  # what was given may hold one
            raise Invalid(message, where=name) from None
        raise Invalid(f"{message} (given: {first.get('input')!r:.60})", where=name) from None
    except (SettingsError, ValueError) as error:  # a TOML file that is not TOML
        raise Invalid(str(error).splitlines()[0], where=str(_config_file())) from None


_SECRET = ("channels", "webhooks")
_TESTS = "HEARTHWATCH_TEST_"
_OTHER_VARIABLES = ("HEARTHWATCH_DATA", "HEARTHWATCH_REQUIRE_SERVICES", "HEARTHWATCH_PASSWORD", "HEARTHWATCH_TOKEN")


def _config_file() -> Path:
    return Path(os.environ.get(CONFIG_VARIABLE, "hearthwatch.toml"))
