/*
 * agent/cgroup - the container and the systemd unit that a process belongs to, by its control group
 *
 * Shape:     a set of groups: the text of /proc/PID/cgroup is read once for all processes that have the same.
 * Ownership: groups are counted; a group's slices live as long as it does.
 * Threads:   one at a time.
 * Format:    one line a hierarchy, `number:controllers:path`; version 2 is the line `0::path`.
 * Source:    cgroups(7); the names that docker, containerd, cri-o, podman, lxc and systemd-nspawn give to their groups.
 */
#pragma once
#include "base/map.h"

typedef struct xt_cgroup {
    xt_slice text;
    xt_slice container; /* empty: none */
    xt_slice unit;
    uint64_t n_refs;
} xt_cgroup;

typedef struct xt_cgroup_set {
    xt_map map; /* by text */
} xt_cgroup_set;

void xt_cgroup_set_fini(xt_cgroup_set *set); /* all groups were given back */
/* The group with that text, one reference more. */
XT_MUST_USE int xt_cgroup_get(xt_cgroup_set *set, xt_slice text, xt_cgroup **ret);
xt_cgroup *xt_cgroup_ref(xt_cgroup *group);                       /* accepts NULL */
xt_cgroup *xt_cgroup_unref(xt_cgroup_set *set, xt_cgroup *group); /* accepts NULL, returns NULL */

/* What the text says; slices point into it. */
void xt_cgroup_parse(xt_slice text, xt_slice *ret_container, xt_slice *ret_unit);
