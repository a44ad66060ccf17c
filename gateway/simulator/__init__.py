"""The Ministry's central repository, simulated: honest by default, with faults on demand.

It is the counterpart of rehearsals, tests and the fault campaign and runs as a process of its own, without Django and
without the portal's database. Its judgement shares no code with the portal or with `signing`: it is an outside party.
Reading order: config, wire, listener, services, judge, store, faults, control_door.
"""
