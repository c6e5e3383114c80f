#!/bin/bash
# What test_b1_oom_policy.py has run in a virtual machine: patrond.service under a memory limit, and bodies that fill a worker
# until the kernel kills it; once with the unit's OOMPolicy, once with another. Prints NAME=VALUE lines, and entries
# of the journal as JSON.
set -eu

key=q8Zr4Lk2Vn7Tb5Xw9c body=$((32 << 20))
head="'POST /api/mcp/search HTTP/1.1' 'Host: x' 'X-API-Key: $key' 'Content-Type: application/json' 'Content-Length: $body'"
drop_in=/run/systemd/system/patrond.service.d

limit() { # limit LINE...: of the unit
    mkdir -p $drop_in
    printf '%s\n' '[Service]' MemoryMax=96M MemorySwapMax=0 "$@" >$drop_in/drill.conf
    systemctl daemon-reload
    systemctl restart patrond
}

state() { # state NAME
    systemctl show -p MainPID -p NRestarts -p ActiveState -p SubState -p OOMPolicy -p Result patrond | sed "s/^/$1./"
}

wait_for() { # wait_for COMMAND...
    local i
    for ((i = 0; i < 150; i++)); do
        ! "$@" || return 0
        sleep 0.1
    done
    echo "never came: $*" >&2
    return 1
}

explained() { # each kill in the journal, and all workers there again
    local kills
    kills=$(sed -n 's/^oom_kill //p' $events)
    [ "$kills" -gt 0 ] && [ "$kills" = "$(journalctl -q -o cat EVENT=worker_oom_killed | wc -l)" ] &&
        [ "$(patronctl workers | grep -c '^worker .* ready ')" = 2 ]
}

ended() {
    journalctl -q -o cat UNIT=patrond.service UNIT_RESULT=oom-kill | grep -q .
}

fill() { # bodies of which the last byte never comes, until somebody was killed
    local i held
    for ((i = 0; i < 12; i++)); do
        exec {held}<>/dev/tcp/127.0.0.1/8000
        timeout 5 sh -c "printf '%s\r\n' $head ''; head -c $((body - 1)) /dev/zero" >&"$held" || :
        ! grep -q '^oom_kill [^0]' $events || break
    done 2>/dev/null
}

cat >>/etc/patrond/patrond.conf <<END
DATABASE_URL = postgresql://nobody@127.0.0.1:1/none
ADMIN_KEY = $key
WORKERS = 2
ENABLE_SALES_SYNC = false
MAX_BODY_BYTES = $body
MAX_REQUEST_MEMORY_BYTES = $((2 * body))
WORKER_MAX_RSS_MB = 0
END
events=/sys/fs/cgroup/system.slice/patrond.service/memory.events

limit
state before
(fill)
wait_for explained
state after
sed 's/ /=/; s/^/memory.events./' $events
journalctl --sync
journalctl -q -o json --output-fields=EVENT,MESSAGE,_PID,CHILD_PID,RSS_BYTES,DOING,PROCESS,_SOURCE_REALTIME_TIMESTAMP \
    EVENT=worker_oom_killed + EVENT=no_customer_data
journalctl -q -o json --output-fields=MESSAGE,_SOURCE_MONOTONIC_TIMESTAMP _TRANSPORT=kernel + UNIT=patrond.service

limit OOMPolicy=stop
(fill) || : # it may be gone before the last connection
wait_for ended
state other
journalctl -q -o json --output-fields=UNIT_RESULT UNIT=patrond.service UNIT_RESULT=oom-kill
