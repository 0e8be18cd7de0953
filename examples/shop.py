"""A small shop whose database goes away now and then: something to read in its log."""
import sys
import time

MILLISECONDS = [12, 9, 31, 14, 8, 22, 11, 17]

for order in range(1, 201):
    print(f"INFO request handled in {MILLISECONDS[order % 8]}ms", flush=True)
    if order % 40 == 0:
        print(f"WARN payment provider is slow: {order * 7}ms", flush=True)
    if order % 90 == 0:
        print(f"ERROR order {order} failed: connect ECONNREFUSED 10.0.0.5:5432", file=sys.stderr, flush=True)
while True:
    time.sleep(60)
