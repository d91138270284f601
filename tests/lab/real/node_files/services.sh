#!/bin/bash
# Start what a node serves and what is not running: DHCP and DNS on vmbr0, sshd. Runs on the node; twice is harmless.
set -euo pipefail
here=/run/lab/nodes/$(hostname)

runs() {                                  # runs NAME: whether the process in /run/NAME.pid is alive and still of that name
    local pid
    pid=$(cat "/run/$1.pid" 2> /dev/null) && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$1" ]
}

runs dnsmasq || /usr/sbin/dnsmasq --conf-file="$here/dnsmasq.conf"
runs sshd || /usr/sbin/sshd -f "$here/sshd_config" -E "$here/sshd.log"
