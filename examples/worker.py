"""Pretends to work through a queue."""
import time

job = 0
while True:
    job += 1
    print(f"job {job} done in {10 + job % 7}ms")
    time.sleep(0.5)
