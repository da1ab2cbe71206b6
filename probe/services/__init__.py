"""What answers on a port: the well-known-ports table, harmless hellos, and matchers from bytes to a service.

The name of a service never comes from the number of its port. `ports` is the table of names for people, `identify`
is the dialogue that finds out, and every other file knows one family of protocols: a hello that changes nothing on
the other side, and pure functions `bytes -> Service | None`. Nothing here touches a socket or a clock.
"""
