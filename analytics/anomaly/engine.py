"""One day of one model: scores of both scorers, p-values, evidence, alarms. Pure: a state and a day give the next state and what was seen.

A day counts against a device only as far as both scorers agree. The evidence of every stream (a signal, a direction) is a restarted
e-process; the false alarms a device may have are shared out evenly over its failure modes, then over the streams of a mode; streams that
are joined have one evidence, of the mean of their bets. While a fifth of a group leaves its own past on the same day, that is one
incident, and evidence against its devices waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.anomaly.conformal import Calibration
from analytics.anomaly.cusum import accumulated, averaged, bet, threshold
from analytics.anomaly.incidents import Incident, incidents_of
from analytics.panel import Flags, Floats, Ints
from analytics.scorers.own_past import OwnPast
from analytics.scorers.past import Running
from analytics.scorers.peers import Company, Peers, learned, residuals
from analytics.signals import Signal, Stream, streams_of

AGREE_FROM = 2.0
"""A day counts in full only if the device also left its own past by this many deviations, to the same side."""
CALM_P = 0.1
CALM_DAYS = 3
"""An alarm ends after this many days in a row without a p-value below `CALM_P`."""
SUSPECT_EVIDENCE = 3.0
SUSPECT_TRUST = 0.25
"""A device whose evidence has come this far is no yardstick for others, and its own baseline learns this much slower."""
WAIT_DAYS = 3
"""Scores become part of the comparison after this many days, so that a developing fault does not become its own yardstick."""
HEADROOM = 2.0


@dataclass(frozen=True, slots=True)
class State:
    """All that is remembered of one model's devices.

    ``evidence`` (devices, streams); ``alarmed`` and ``calm`` (devices, modes); ``waiting`` (WAIT_DAYS, devices, signals): the last
    scores, oldest first.
    """

    own: Running
    company: Company
    calibration: Calibration
    evidence: Floats
    alarmed: Flags
    calm: Ints
    waiting: Floats


@dataclass(frozen=True, slots=True)
class Day:
    """What came in: signal values (devices, signals), firmware and region codes (devices,), -1 where unknown.

    ``renewed`` (devices, modes): what starts afresh because its part was replaced on that day. ``relative``: what peers are
    compared by where that is something else than the values, as they are. ``updated`` (devices,): who changed its firmware that
    day; what it did may belong to either version, so that it says nothing of any group.
    """

    values: Floats
    firmware: Ints
    renewed: Flags
    region: Ints | None = None
    relative: Floats | None = None
    updated: Flags | None = None

    @property
    def groups(self) -> dict[str, Ints]:
        """By what a group may be in trouble; a region is one only among others."""
        several = self.region is not None and len(np.unique(self.region)) > 1
        return {"firmware": self.firmware, **({"region": self.region} if several and self.region is not None else {})}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a day showed; arrays as in `State`. ``p`` (devices, streams); ``bets`` likewise, as counted."""

    own: Floats
    peers: Floats
    residual: Floats
    p: Floats
    bets: Floats
    raised: Flags
    incidents: tuple[Incident, ...]


class Watch:
    """Watches one model: its signals, streams and modes, and the thresholds that follow from the declared rate of false alarms."""

    def __init__(self, signals: Sequence[Signal], per_device_day: float) -> None:
        self.signals = tuple(signals)
        self.streams: tuple[Stream, ...] = streams_of(self.signals)
        self.modes = tuple(dict.fromkeys(stream.mode for stream in self.streams))
        self.mode_of_stream = np.array([self.modes.index(stream.mode) for stream in self.streams], dtype=np.int64)
        self.mode_of_signal = np.array([self.modes.index(signal.mode) for signal in self.signals], dtype=np.int64)
        self._joined = self._joined_streams()
        counted = [place for place in range(len(self.streams)) if all(place not in group[1:] for group in self._joined)]
        per_mode = np.bincount(self.mode_of_stream[counted], minlength=len(self.modes))
        run_length = len(self.modes) / per_device_day
        self.thresholds = np.array([threshold(run_length * per_mode[mode]) for mode in self.mode_of_stream])
        floor = np.array([signal.floor for signal in self.signals])
        self.own_past, self.peers = OwnPast(floor), Peers(floor)
        self._floor = floor

    def _joined_streams(self) -> list[list[int]]:
        by_mode: dict[str, list[int]] = {}
        for place, stream in enumerate(self.streams):
            if self.signals[stream.signal].joined:
                by_mode.setdefault(stream.mode, []).append(place)
        return list(by_mode.values())

    def begin(self, devices: int) -> State:
        """Nothing known of any device."""
        signals, streams, modes = len(self.signals), len(self.streams), len(self.modes)
        return State(
            Running.empty(devices, signals),
            Company.empty(devices, signals),
            Calibration.empty(signals),
            np.zeros((devices, streams)),
            np.zeros((devices, modes), dtype=bool),
            np.zeros((devices, modes), dtype=np.int64),
            np.full((WAIT_DAYS, devices, signals), np.nan),
        )

    def step(self, state: State, day: Day, *, may_raise: bool = True) -> tuple[State, Seen]:
        """One more day. ``may_raise`` False: learn only (history that is caught up on)."""
        state = self._renewed(state, day.renewed)
        own = self.own_past.score(day.values, state.own)
        residual = residuals(day.values if day.relative is None else day.relative, day.firmware, day.region)
        peers = self.peers.score(residual, state.company)
        incidents, held = self._incidents(own, day)
        p = self._p_values(state.calibration, own, peers)
        p[held[:, self.mode_of_stream]] = np.nan
        bets = bet(p)
        for joined in self._joined:
            bets[:, joined] = averaged(bets[:, joined])[:, None]
        evidence = accumulated(state.evidence, bets, self.thresholds + HEADROOM)
        alarmed, calm, raised = self._alarms(state, evidence, p, may_raise=may_raise)
        evidence = np.where((state.alarmed & ~alarmed)[:, self.mode_of_stream], 0.0, evidence)
        if not may_raise:
            evidence = np.minimum(evidence, self.thresholds * 0.5)
        trusted = self._trusted(evidence, alarmed)
        trust = np.where(trusted, 1.0, SUSPECT_TRUST)
        following = State(
            state.own.learned(day.values, state.own.deviation(self._floor), trust),
            learned(state.company, residual, self._floor, trust),
            state.calibration.learned(state.waiting[0], trusted),
            evidence,
            alarmed,
            calm,
            np.concatenate([state.waiting[1:], peers[None]]),
        )
        return following, Seen(own, peers, residual, p, bets, raised, incidents)

    def _renewed(self, state: State, renewed: Flags) -> State:
        if not renewed.any():
            return state
        signals, streams = renewed[:, self.mode_of_signal], renewed[:, self.mode_of_stream]
        company = replace(
            state.company,
            residual=state.company.residual.forgotten(signals),
            yesterday=np.where(signals, np.nan, state.company.yesterday),
        )
        return replace(
            state,
            own=state.own.forgotten(signals),
            company=company,
            evidence=np.where(streams, 0.0, state.evidence),
            alarmed=state.alarmed & ~renewed,
            calm=np.where(renewed, 0, state.calm),
            waiting=np.where(signals[None], np.nan, state.waiting),
        )

    def _p_values(self, calibration: Calibration, own: Floats, peers: Floats) -> Floats:
        columns = []
        for stream in self.streams:
            p = calibration.p_values(stream.signal, peers[:, stream.signal], stream.sign)
            agrees = stream.sign * own[:, stream.signal] >= AGREE_FROM
            columns.append(np.where(agrees | np.isnan(p), p, np.maximum(p, 0.5)))
        return np.stack(columns, axis=1)

    def _incidents(self, own: Floats, day: Day) -> tuple[tuple[Incident, ...], Flags]:
        told = own if day.updated is None else np.where(day.updated[:, None], np.nan, own)
        far: dict[int, list[Floats]] = {mode: [] for mode in range(len(self.modes))}
        for stream, mode in zip(self.streams, self.mode_of_stream.tolist(), strict=True):
            far[mode].append(stream.sign * told[:, stream.signal])
        return incidents_of(far, day.groups)

    def _alarms(self, state: State, evidence: Floats, p: Floats, *, may_raise: bool) -> tuple[Flags, Ints, Flags]:
        devices = len(evidence)
        over = np.zeros((devices, len(self.modes)), dtype=bool)
        strange = np.zeros_like(over)
        silent = np.ones_like(over)
        for place, mode in enumerate(self.mode_of_stream):
            over[:, mode] |= (evidence[:, place] >= self.thresholds[place]) & ~np.isnan(p[:, place])
            strange[:, mode] |= p[:, place] < CALM_P
            silent[:, mode] &= np.isnan(p[:, place])
        calm = np.where(strange | ~state.alarmed, 0, np.where(silent, state.calm, state.calm + 1))
        lasting = state.alarmed & (calm < CALM_DAYS)
        raised = over & ~state.alarmed if may_raise else np.zeros_like(over)
        return lasting | raised, np.where(raised, 0, calm), raised

    def _trusted(self, evidence: Floats, alarmed: Flags) -> Flags:
        suspect = alarmed[:, self.mode_of_signal]
        for place, stream in enumerate(self.streams):
            suspect[:, stream.signal] |= evidence[:, place] >= SUSPECT_EVIDENCE
        return ~suspect
