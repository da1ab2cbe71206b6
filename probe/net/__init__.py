"""The only room with a door to the network: wires, routes, kernel streams, and the packets that scapy builds."""
