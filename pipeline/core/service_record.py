"""Whether a device is fit for service, by how its processes ended."""

from __future__ import annotations

from dataclasses import dataclass

MOST_DEATHS = 3
"""So many deaths in a row within ``DEATHS_WITHIN_S`` and the device has a rest."""
DEATHS_WITHIN_S = 600.0
FIRST_REST_S, LONGEST_REST_S = 30.0, 600.0
"""The rest after three deaths; each further one, without any success before it, is twice as long."""


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A device's record as it stands; every event gives the next one. Times are seconds of any steady clock."""

    deaths: tuple[float, ...] = ()
    rests: int = 0
    out_until: float | None = None

    def rests_at(self, now: float) -> bool:
        """Tell whether the device is to have no work."""
        return self.out_until is not None and now < self.out_until

    def died(self, now: float) -> ServiceRecord:
        """Count a death of the device's process."""
        deaths = (*(at for at in self.deaths if at > now - DEATHS_WITHIN_S), now)
        if len(deaths) < MOST_DEATHS:
            return ServiceRecord(deaths, self.rests, self.out_until)
        rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2**self.rests)
        return ServiceRecord((), self.rests + 1, now + rest_s)

    def succeeded(self) -> ServiceRecord:
        """Note that the device has done some work whole: what died before was not its fault."""
        return ServiceRecord()
