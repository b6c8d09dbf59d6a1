"""A made-up organisation, seeded, for measuring detection. It knows nothing of the code that detects.

People in time zones and groups, jobs, pollers, holidays, shifts and new joiners read chunks of datasets for weeks; then
some of them do, on top of their work, what insiders do. What comes out are plain tables of what passed the gate.
"""
