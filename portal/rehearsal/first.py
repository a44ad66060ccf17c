"""The first batches of a new installation, so that its first page shows life: some hundred records, both doors."""

from portal.rehearsal.bootstrap import Rehearsal
from portal.rehearsal.handing_in import Counter, Ledger
from portal.rehearsal.making import Maker, Wish
from portal.rehearsal.paths import door_paths
from portal.rehearsal.planting import planting
from portal.rehearsal.state import save_state


def hand_in_first(rehearsal: Rehearsal, *, base_url: str, records: int, share: float) -> Ledger:
    """Hands in `records` more records, a `share` of them with a planted breach; remembers how far each school is."""
    maker = Maker(rehearsal.province, rehearsal.pki, dict(rehearsal.state.next_number))
    counter = Counter(rehearsal, base_url, door_paths())
    breaches = planting(rehearsal.state.seed, share, revocation=False)
    try:
        for one in maker.parcels(Wish(records, mix=0.7, batch_size=24, planting=breaches)):
            counter.hand_in(one)
    finally:
        counter.close()
        save_state(rehearsal.state.advanced(maker.next_number), rehearsal.folder)
    return counter.ledger
