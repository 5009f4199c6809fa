"""What a config needs, checked: secrets, model, sources, journal, outputs, and who answers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from edge.cli.doctor.finding import Finding, findings_of
from edge.cli.doctor.machine import MB, disk, unwritable
from edge.cli.doctor.network import Address, asked, is_free
from edge.cli.doctor.video import has_element
from edge.config import Camera, Config, FileSink, MqttSink, WebhookSink, load_located
from edge.config.document import parse
from edge.config.secrets import VARIABLE, Secrets, knows_variables
from edge.errors import ConfigError, SourceError

# Stands for a secret that is not set; no such host can be (RFC 6761).
UNSET = "unset.invalid"
_NOT_SET = re.compile(r"expected (the environment variable \S+ to be set|a readable text file \S+)")
_ADDRESS = re.compile(r"\b(?:rtsp|rtsps|https?)://[^\s\"']+")
PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def read(path: Path) -> tuple[list[Finding], Config | None, frozenset[str]]:
    """The config, as far as it can be had here, and the secrets in it that no finding may show.

    Secrets are often handed to the service alone. Where nothing else is wrong, something stands in
    for them, so that all the rest is checked.
    """
    try:
        located = load_located(path)
    except ConfigError as error:
        lines, secrets = str(error).splitlines(), Secrets()
        remedy = f"`edge check {path}` until it is right; then the rest can be looked at"
        wrong = Finding("config", "; ".join(lines), "problem", remedy, needed=True)
        if not all(_NOT_SET.search(line) for line in lines):
            return [wrong], None, frozenset()
        data = parse(path.read_text(encoding="utf-8-sig"), str(path)).data
        try:
            config = Config.model_validate(_stood_in(secrets.substituted(data)))
        except ValueError:  # pydantic's: a whole address is the secret, say
            return [wrong], None, frozenset()
        return [_summary(path, config), *_secrets(data)], config, frozenset(secrets.found)
    found = [_summary(path, located.config), *_secrets(located.document.data)]
    return found, located.config, located.secrets


def _summary(path: Path, config: Config) -> Finding:
    cameras, sinks = len(config.cameras), len(config.sinks)
    rules = sum(len(camera.rules) for camera in config.cameras.values())
    text = f"{path}: cameras {cameras}, rules {rules}, sinks {sinks}"
    if not cameras:
        remedy = "name a camera, or give `edge run` a source beside the config"
        return Finding("config", text, "note", remedy, needed=True)
    return Finding("config", text, needed=True)


def _secrets(data: object) -> Iterator[Finding]:
    """Whether the variables of a config are set: their names, never what they hold."""
    names = [name for text in _texts(data) for name in VARIABLE.findall(text)]
    unset = [name for name in dict.fromkeys(names) if Secrets().text(f"${{{name}}}")[:2] == "${"]
    if unset:
        yield Finding(
            "secrets",
            f"not set: {', '.join(unset)}",
            "problem",
            "export them or write the files; those of the service: `set -a; . "
            "/etc/edgecount/secrets.env` as root before `edge doctor`",
            needed=True,
        )
    elif names:
        yield Finding("secrets", f"set: {', '.join(dict.fromkeys(names))}", needed=True)


def _texts(data: object, key: tuple[str | int, ...] = ()) -> Iterator[str]:
    """Texts that know variables."""
    pairs: Iterable[tuple[str | int, object]] = ()
    if isinstance(data, dict):
        pairs = data.items()
    elif isinstance(data, list):
        pairs = enumerate(data)
    elif isinstance(data, str) and knows_variables(key):
        yield data
    for name, value in pairs:
        yield from _texts(value, (*key, name))


def _stood_in(data: object) -> object:
    if isinstance(data, dict):
        return {name: _stood_in(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_stood_in(value) for value in data]
    return VARIABLE.sub(UNSET, data) if isinstance(data, str) else data


def sources(config: Config) -> Iterator[Finding]:
    """Recordings, devices and pipelines: whether they are there. Cameras: see `network`."""
    for name, camera in config.cameras.items():
        what = f"camera {name}"
        yield from findings_of(what, _source(what, camera), needed=True)


def _source(what: str, camera: Camera) -> Callable[[], Iterator[Finding]]:
    def check() -> Iterator[Finding]:
        from edge.sources import is_live, masked, open_source
        from edge.sources.address import kind_of

        text = camera.source
        if not is_live(text):
            try:
                with open_source(text, reads_ahead=False) as source:
                    yield Finding(what, f"{text}: {source.width} x {source.height}", needed=True)
            except SourceError as error:
                remedy = f"put it there; relative paths start where we are started, {Path.cwd()}"
                yield Finding(what, str(error), "problem", remedy, needed=True)
        elif kind_of(text) == "device":
            yield _device(what, f"/dev/video{text}" if text.isdigit() else text)
        elif kind_of(text) == "gst":
            yield _pipeline(what, text)
        elif camera_address(text) is None:
            expected = f"{masked(text)}: expected an address with a host"
            yield Finding(what, expected, "problem", "rtsp://HOST[:PORT]/PATH", needed=True)

    return check


def _device(what: str, path: str) -> Finding:
    if not os.path.exists(path):
        remedy = f"plug it in; give a container `--device {path}`; `ls /dev/video*` lists others"
        return Finding(what, f"{path}: no such device", "problem", remedy, needed=True)
    if not os.access(path, os.R_OK | os.W_OK):
        remedy = "sudo usermod -aG video USER, then log in anew"
        return Finding(what, f"{path}: may not be opened", "problem", remedy, needed=True)
    return Finding(what, f"{path} is there", needed=True)


def _pipeline(what: str, source: str) -> Finding:
    names = elements(source)
    there = {name: has_element(name) for name in names}
    missing = [name for name in names if there[name] is False]
    if missing:
        found = f"GStreamer lacks {', '.join(missing)}"
        remedy = (
            "`gst-inspect-1.0 NAME` tells of an element; install the package of plugins that has "
            "it: gstreamer1.0-plugins-good or -bad, on a Jetson nvidia-l4t-gstreamer"
        )
        return Finding(what, found, "problem", remedy, needed=True)
    if None in there.values():
        remedy = "apt-get install gstreamer1.0-tools"
        return Finding(what, "elements not checked: no gst-inspect-1.0", "note", remedy)
    return Finding(what, f"GStreamer has its {len(names)} elements", needed=True)


def elements(source: str) -> list[str]:
    """Names of the elements of a `gst:` pipeline, each once.

    >>> elements("gst:rtspsrc location=rtsp://a ! h264parse ! video/x-raw,width=9 ! appsink")
    ['rtspsrc', 'h264parse', 'appsink']
    """
    parts = re.split(r"\s!\s", source.partition(":")[2])
    firsts = (part.split()[0] for part in parts if part.split())
    # Neither caps, which have a slash, nor the name of an element followed by a dot.
    return list(dict.fromkeys(name for name in firsts if re.fullmatch(r"[a-z][\w-]*", name)))


def folders(config: Config) -> Iterator[Finding]:
    """Folders that a config writes to, and files that it reads."""
    from edge.cli.live import journal_path
    from edge.sources import is_live

    watches = any(is_live(camera.source) for camera in config.cameras.values())
    if watches or config.sinks or config.journal.path is not None:
        journal = journal_path(config, None)
        used = journal.stat().st_size if journal.is_file() else 0
        wanted = config.journal.max_mb * MB - used
        yield from _file("journal", journal, max(wanted, 0))
    if config.evidence.folder is not None:
        wanted = config.evidence.max_mb * MB
        yield from disk("evidence", Path(config.evidence.folder), wanted, needed=True)
    for name, sink in config.sinks.items():
        what = f"sink {name}"
        if isinstance(sink, FileSink):
            folder = Path(sink.path).parent
            if not folder.is_dir():
                found, remedy = f"{folder}: no such folder", f"mkdir -p {folder}"
                yield Finding(what, found, "problem", remedy, needed=True)
            else:
                yield from _file(what, Path(sink.path), sink.max_mb * MB * (sink.keep + 1))
        elif isinstance(sink, MqttSink):
            for path in filter(None, (sink.ca_file, sink.cert_file, sink.key_file)):
                if not os.access(path, os.R_OK):
                    found, remedy = f"{path}: cannot be read", "put the file there, readable"
                    yield Finding(what, found, "problem", remedy, needed=True)


def _file(what: str, path: Path, wanted_bytes: float) -> Iterator[Finding]:
    """A file to be written, perhaps one that another user made, and its folder."""
    if path.exists() and not os.access(path, os.W_OK):
        yield unwritable(what, path.absolute(), path, needed=True)
    else:
        yield from disk(what, path.parent, wanted_bytes, needed=True)


def network(config: Config) -> Callable[[], Iterator[Finding]]:
    """Begin to ask whether cameras and receivers answer; call the result for the findings.

    They are no more than notes: a camera or receiver that is away is no mistake, `edge run` waits
    for it.
    """
    addresses = {f"camera {n}": camera_address(c.source) for n, c in config.cameras.items()}
    addresses |= {f"sink {name}": _receiver(sink) for name, sink in config.sinks.items()}
    known = {name: address for name, address in addresses.items() if address is not None}
    answers = asked({name: its for name, its in known.items() if UNSET not in its[0]})

    def findings() -> Iterator[Finding]:
        troubles = answers()
        for name, (host, port) in known.items():
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            if name not in troubles:
                text = "not checked: its address is a secret that is not set"
                yield Finding(name, text, "note", "set the secret")
            elif troubles[name]:
                remedy = f"check power, cable, address and firewall: `nc -vz {host} {port}`"
                yield Finding(name, f"{where}: {troubles[name]}", "note", remedy)
            else:
                yield Finding(name, f"{where} answers")

    return findings


def page(config: Config) -> Iterator[Finding]:
    """Whether the page's port is free; a service that runs has it, so that is a note."""
    web = config.web
    if web.listen is None:
        return
    if why := is_free(web.host, web.port):
        remedy = "another process listens there, the service perhaps; or take another web.listen"
        yield Finding("page", f"{web.listen}: {why}", "note", remedy)
    else:
        yield Finding("page", f"{web.listen} is free")


def camera_address(source: str) -> Address | None:
    """Host and port of a camera's address, also within a pipeline; None: it has none.

    >>> camera_address("rtsp://me:pw@192.0.2.7/stream1"), camera_address("gst:videotestsrc")
    (('192.0.2.7', 554), None)
    """
    found = _ADDRESS.search(source)
    return _host_and_port(found[0]) if found else None


def _receiver(sink: object) -> Address | None:
    if isinstance(sink, MqttSink):
        return sink.host, sink.port or (8883 if sink.tls else 1883)
    return _host_and_port(sink.url) if isinstance(sink, WebhookSink) else None


def _host_and_port(address: str) -> Address | None:
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS.get(parts.scheme.lower())
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None
