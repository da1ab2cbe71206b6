"""The only room with a door to the network: wires, routes, kernel streams, and the SYN that is sent."""
