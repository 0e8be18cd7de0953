#!/bin/sh
# Prints a line a second, and now and then a warning.
n=0
while :; do
    n=$((n + 1))
    echo "tick $n"
    [ $((n % 5)) -ne 0 ] || echo "warning: $n is divisible by five" >&2
    sleep 1
done
