"""From config to objects: every choice between implementations is made here, in plain if/elif."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import edge
from edge.config import Camera, Config, Line, Zone, check_classes, config_rev, geometry_hash
from edge.count.crowd import Crowd
from edge.count.line import Band, LineCounter
from edge.count.zone import ZoneCounter, ZoneTimes
from edge.events import DeviceInfo, Encoder, Past, RuleInfo, SourceInfo, Tally
from edge.lane import Lane
from edge.outputs import Counter
from edge.segment import Limits, Segmenter, Session, find_model
from edge.segment.class_names import class_names_in
from edge.segment.opening import LOGGED, Tell
from edge.segment.providers import (
    CpuSettings,
    CudaSettings,
    OpenVinoSettings,
    ProviderSettings,
    TensorRTSettings,
)
from edge.sources import ImageFolder, LiveSettings
from edge.track.camera import CameraMotion
from edge.track.settings import TrackerSettings
from edge.track.tracker import Tracker
from edge.types import F64

# Detectors flip between these on one object; a track may change class within its group.
CLASS_GROUPS = (("car", "truck", "bus", "van", "vehicle"), ("bicycle", "motorcycle"))
LIVING = ("person", "pedestrian", "child", "rider", "dog", "cat", "horse", "bird", "cow", "sheep")


def segmenter(  # noqa: PLR0913
    *,
    model: str | None = None,
    provider: str = "auto",
    threads: int | None = None,
    input_size: int | None = None,
    min_score: float = 0.2,
    nms_iou: float = 0.65,
    strict_provider: bool = False,
    every_class: bool = False,
    settings: ProviderSettings | None = None,
    family: str | None = None,
    class_names: Sequence[str] | None = None,
    tell: Tell = LOGGED,
) -> Segmenter:
    """Open a model by catalogue name or path; None: the default model.

    `every_class` lets one cell give an instance of each class, as average precision is usually
    measured; counting wants one. `family` and `class_names` are worth more than the catalogue's.
    `tell` is told a line now and then while TensorRT builds an engine, which takes minutes.

    Raises:
        ModelError: it cannot be found, read or run.

    Example:
        >>> nano = segmenter(provider="cpu", threads=1, input_size=320)
        >>> nano.class_names[:3]
        ('person', 'bicycle', 'car')
        >>> len(nano.segment(np.zeros((480, 640, 3), np.uint8)))  # nobody in the dark
        0
    """
    found = find_model(model)
    settings = replace(settings or ProviderSettings(), longest_px=input_size)
    session = Session(found.path, provider, threads, strict_provider, settings, tell)
    limits = Limits(min_score, nms_iou, every_class=every_class)
    names = class_names or found.class_names
    return Segmenter(session, limits, input_size, family or found.family, names)


def configured_segmenter(config: Config, tell: Tell = LOGGED) -> Segmenter:
    """The segmenter that a config asks for; `tell` as `segmenter` has it.

    Raises:
        ConfigError: its file of class names is none.
        ModelError: it cannot be found, read or run.
    """
    m, names = config.model, config.model.class_names
    return segmenter(
        model=m.name,
        provider=m.provider,
        threads=m.threads,
        input_size=m.input_size,
        min_score=m.min_score,
        nms_iou=m.nms_iou,
        strict_provider=m.strict_provider,
        settings=provider_settings(config),
        family=m.family,
        class_names=class_names_in(Path(names)) if isinstance(names, str) else names,
        tell=tell,
    )


def provider_settings(config: Config) -> ProviderSettings:
    """How a config wants the CPU, CUDA, TensorRT and OpenVINO to be used."""
    m = config.model
    sizes = {f"{name}_hw": getattr(m.tensorrt, f"{name}_size") for name in ("min", "best", "max")}
    return ProviderSettings(
        gpu=m.gpu,
        cpu=CpuSettings(**m.cpu.model_dump()),
        cuda=CudaSettings(**m.cuda.model_dump()),
        tensorrt=TensorRTSettings(
            **m.tensorrt.model_dump(exclude={"min_size", "best_size", "max_size"}), **sizes
        ),
        openvino=OpenVinoSettings(**m.openvino.model_dump()),
        longest_px=m.input_size,
        batch=m.batch,
    )


def tracker(config: Config, camera: str, class_names: Sequence[str]) -> Tracker:
    """The tracker of one camera.

    Raises:
        ConfigError: a class that the model does not know.
    """
    check_classes(config, class_names)
    given = config.tracker.model_dump()
    known = {f.name for f in fields(TrackerSettings)}
    settings = TrackerSettings(**{k: v for k, v in given.items() if k in known})
    wanted = config.cameras[camera].classes
    return Tracker(settings, class_groups(class_names, wanted), rigid(class_names))


def camera_motion(config: Config, camera: str) -> CameraMotion | None:
    """What follows a camera that moves; None for one that stands, as the config says."""
    return CameraMotion() if config.cameras[camera].moves else None


def class_groups(class_names: Sequence[str], wanted: Collection[str] | None) -> list[int]:
    """Group of each class; -1 for classes that are not wanted (None: all are).

    >>> class_groups(["person", "car", "truck"], None), class_groups(["person", "car"], ["car"])
    ([0, 1, 1], [-1, 1])
    """
    first: dict[str, int] = {}
    groups = []
    for index, name in enumerate(class_names):
        family = next((g[0] for g in CLASS_GROUPS if name in g), name)
        group = first.setdefault(family, index)
        groups.append(group if wanted is None or name in wanted else -1)
    return groups


def rigid(class_names: Sequence[str]) -> list[bool]:
    """Which classes are vehicles, whose shape does not change as they move.

    >>> rigid(["person", "car"])
    [False, True]
    """
    return [name not in LIVING for name in class_names]


def counters(
    config: Config, camera: str, class_names: Sequence[str], width: int, height: int
) -> list[Counter]:
    """A counter for each rule of one camera, lines first, on frames of this size."""
    c = config.counting
    band = Band(c.band_height_share, c.min_band_px)
    built: list[Counter] = []
    for name, rule in config.cameras[camera].rules.items():
        class_ids = None if rule.classes is None else {class_names.index(n) for n in rule.classes}
        points = rule.path if isinstance(rule, Line) else rule.polygon
        placed: F64 = np.array(points, np.float64) * (width, height)
        if isinstance(rule, Line):
            built.append(LineCounter(name, placed, class_ids, band))
        else:
            times = ZoneTimes(c.zone_enter_s, c.zone_exit_s, rule.dwell_s)
            crowd = Crowd(rule.occupancy_every_s, rule.overcrowded, rule.overcrowded_area)
            built.append(ZoneCounter(name, placed, class_ids, band, times, crowd))
    return built


def reconfigure(
    lane: Lane,
    old: Config,
    new: Config,
    class_names: Sequence[str],
    begun: Mapping[str, Tally],
) -> None:
    """Let a camera go on with other rules; those that stay keep what they know of live tracks.

    Who is inside a zone that changes must have left it before: `Lane.leave`.

    Args:
        lane: the camera.
        old: the config until now; only the camera's rules may differ.
        new: the config from now on.
        class_names: of the model.
        begun: totals with which changed and new rules begin.
    """
    camera, session = lane.name, lane.session
    before, after = old.cameras[camera].rules, new.cameras[camera].rules
    if session is not None:
        known = {c.rule_id: c for c in session.counters}
        fresh = counters(new, camera, class_names, *session.size)
        session.counters = [
            known[c.rule_id] if c.rule_id in known and before[c.rule_id] == after[c.rule_id] else c
            for c in fresh
        ]
    # Without a session, what the counters of the last one counted is in the totals already.
    lane.events.counters = () if session is None else session.counters
    infos = rule_infos(new, camera)
    lane.events.encoder.reconfigured(infos, config_rev(new, camera), begun)


def encoder(
    config: Config, camera: str, provenance: dict[str, Any], past: Past | None = None
) -> Encoder:
    """The encoder of one camera's events.

    Args:
        config: the config.
        camera: a key of its cameras.
        provenance: what `provenance()` made, of this run or of the recorded one.
        past: what a journal has of a live source.
    """
    device = DeviceInfo(
        id=config.device_id,
        app=edge.__version__,
        model_sha256=provenance.get("model_sha256"),
        provider=provenance.get("provider"),
    )
    source = SourceInfo(
        id=str(provenance.get("source_id", camera)),
        kind=str(provenance.get("kind", "file")),
        session=int(provenance.get("session", 1)),
        width=int(provenance["width"]),
        height=int(provenance["height"]),
        source_key=str(provenance.get("source_key", "")),
    )
    names = list(provenance["class_names"])
    rev = config_rev(config, camera)
    return Encoder(device, source, rule_infos(config, camera), names, rev, past)


def rule_infos(config: Config, camera: str) -> list[RuleInfo]:
    """The rules of one camera as events name them."""
    return [_rule_info(name, rule) for name, rule in config.cameras[camera].rules.items()]


def geometry(config: Config, camera: str) -> dict[str, str]:
    """The geometry hash of each rule of one camera."""
    return {rule.id: rule.geometry_hash for rule in rule_infos(config, camera)}


def _rule_info(name: str, rule: Line | Zone) -> RuleInfo:
    if isinstance(rule, Line):
        return RuleInfo(name, "line", geometry_hash(rule), None, rule.in_name, rule.out_name)
    return RuleInfo(name, "zone", geometry_hash(rule))


def live_settings(camera: Camera) -> LiveSettings:
    """How a live source is read, as the config says."""
    return LiveSettings(
        transport=camera.transport,
        open_timeout_s=camera.open_timeout_s,
        read_timeout_s=camera.read_timeout_s,
        frozen_s=camera.frozen_s or None,
        black_s=camera.black_s or None,
        max_fps=camera.max_fps,
    )


def provenance(camera: str, source: Any, model: Segmenter) -> dict[str, Any]:
    """Where frames come from and what saw them: all that events need to know of a run."""
    return {
        "source_id": camera,
        "kind": kind_of(source),
        "source_key": source.content_key,
        "width": source.width,
        "height": source.height,
        **model_provenance(model),
    }


def kind_of(source: Any) -> str:
    """Kind of a source as events name it: file, folder, or what a live one says of itself."""
    if isinstance(source, ImageFolder):
        return "folder"
    return str(getattr(source, "kind", "file"))


def model_provenance(model: Segmenter) -> dict[str, Any]:
    """What sees the frames."""
    return {
        "class_names": list(model.class_names),
        "model_sha256": model.session.file.sha256,
        "provider": model.session.provider,
    }
