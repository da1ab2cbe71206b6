"""The pure heart: no sockets, no clock, no randomness of its own. Time and seed are arguments, packets are columns.

`plan` says what there is to send, `frames` how it looks, `replies` what an answer must look like to count, `scan` when
to send it (again), `pace` how fast, `verdict` what the answers mean. `locate` finds the hop after which silent ports
are dropped: `walks` what to ask, `errands` how often. `dialogue` is the same idea for connections.
"""
