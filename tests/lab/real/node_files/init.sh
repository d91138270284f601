#!/bin/bash
# PID 1 of a lab node, in its own mount, net, pid, uts and ipc namespaces. It shapes them, then reaps what LXC leaves behind.
# Ending it ends everything on the node. Environment: NODE, STATE, ADDRESS, PREFIX_LENGTH, BRIDGES (beside vmbr0),
# GROUP (a control group of version 2 that LXC starts from).
set -euo pipefail
printf 'lab-%s' "$NODE" > /proc/self/comm
echo 0 > "$GROUP/cgroup.procs"
hostname "$NODE"
mount --make-rprivate /

# The lab's state first: it may lie under one of the directories that are covered below.
mount --rbind "$STATE" /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lab /run/lock /run/sshd /run/cgroup /run/sbin /run/etc/upper /run/etc/work
mount --move /mnt /run/lab
here=/run/lab/nodes/$NODE
# Disks of labs, this one's included, must not be held by a copy of the machine's mounts when their lab goes.
while read -r device place _; do
    [[ $device == /dev/loop* && $place == */nodes && $place != /run/lab/* ]] && umount -l "$(printf %b "$place")"
done < /proc/self/mounts || :

# LXC looks for bridges under /sys/class/net, so /sys has to be that of this net namespace; the control groups stay.
mount --rbind /sys/fs/cgroup /run/cgroup
mount -t sysfs sysfs /sys
mount --move /run/cgroup /sys/fs/cgroup

mount --bind "$here/lxc" /var/lib/lxc
# A private /etc: host name, accounts, subuids and /etc/pve are the node's, and nothing of the machine changes.
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work lab-etc /etc
mkdir -p /etc/pve/nodes
mount --bind /run/lab/pve/nodes /etc/pve/nodes
ln -sfn "nodes/$NODE" /etc/pve/local
ln -sfn "nodes/$NODE/lxc" /etc/pve/lxc
rm -f /etc/hostname /etc/hosts /etc/resolv.conf /etc/subuid /etc/subgid /etc/nologin /etc/motd
echo "$NODE" > /etc/hostname
printf '127.0.0.1 localhost\n%s %s.lab %s\n' "$ADDRESS" "$NODE" "$NODE" > /etc/hosts
printf 'search lab\nnameserver %s\n' "$ADDRESS" > /etc/resolv.conf
echo root:100000:65536 | tee /etc/subuid > /etc/subgid
sed -i 's|^root:[^:]*:|root:*:|' /etc/shadow              # a locked root could not log in by key
sed -i 's|^\(root:.*:\)[^:]*$|\1/bin/bash|' /etc/passwd

# pct at its real path, and a bare home: bash under sshd would read the machine's own dotfiles.
install -m 755 "$here/files/pct" /run/sbin/pct
mount -t overlay -o lowerdir=/run/sbin:/usr/sbin lab-sbin /usr/sbin
mount -t tmpfs -o mode=700 tmpfs /root
mount -t tmpfs -o mode=1777 tmpfs /tmp

ip link set lo up
for bridge in vmbr0 $BRIDGES; do
    ip link add "$bridge" type bridge stp_state 0 forward_delay 0
    ip link set "$bridge" up
done
ip address add "$ADDRESS/$PREFIX_LENGTH" dev vmbr0
echo 1 > /proc/sys/net/ipv4/ip_forward

/bin/bash "$here/files/services.sh"
: > "$here/ready"
while :; do
    sleep 3600 &
    wait $! || :
done
