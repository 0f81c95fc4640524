/*
 * How it works: a path is read from its end, for groups are nested (a container in a unit, a unit of the container's own
 * systemd in the container): the innermost name that is a container's counts, and the innermost unit that is not the
 * container's own scope.
 */
#include "agent/cgroup.h"

#include <errno.h>
#include <stdlib.h>

#define ID_DIGITS 64

static bool is_id(xt_slice s)
{
    bool all = s.n == ID_DIGITS;
    for (size_t i = 0; all && i < s.n; i++)
        all = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');
    return all;
}

static bool cut_ends(xt_slice *name, xt_slice prefix, xt_slice suffix)
{
    if (name->n <= prefix.n + suffix.n || !xt_slice_starts(*name, prefix) || !xt_slice_ends(*name, suffix))
        return false;
    *name = xt_slice_of(name->p + prefix.n, name->n - prefix.n - suffix.n);
    return true;
}

/*
 * docker-ID.scope, cri-containerd-ID.scope, crio-ID.scope, libpod-ID.scope, ...:cri-containerd:ID, ID alone. conmon is
 * podman's and cri-o's own process beside the container.
 */
static bool cut_id(xt_slice *name)
{
    xt_slice s = *name;
    (void)cut_ends(&s, XT_S_NULL, XT_S(".scope"));
    if (s.n < ID_DIGITS)
        return false;
    xt_slice id = xt_slice_skip(s, s.n - ID_DIGITS), before = xt_slice_head(s, s.n - ID_DIGITS);
    bool is_apart = before.n == 0 || before.p[before.n - 1] == '-' || before.p[before.n - 1] == ':';
    if (!is_id(id) || !is_apart || xt_slice_ends(before, XT_S("conmon-")))
        return false;
    *name = id;
    return true;
}

/* The container that a part of a path names; parent: the part before it. */
static bool cut_container(xt_slice *name, xt_slice parent)
{
    if (cut_id(name) || cut_ends(name, XT_S("lxc.payload."), XT_S_NULL) ||
        cut_ends(name, XT_S("systemd-nspawn@"), XT_S(".service")))
        return true;
    if (xt_slice_eq(parent, XT_S("lxc.payload")) || xt_slice_eq(parent, XT_S("lxc")))
        return true;
    /* libvirt's machines have a kernel of their own */
    return !xt_slice_starts(*name, XT_S("machine-qemu")) && cut_ends(name, XT_S("machine-"), XT_S(".scope"));
}

static bool is_unit(xt_slice name)
{
    return xt_slice_ends(name, XT_S(".service")) || xt_slice_ends(name, XT_S(".scope"));
}

/* The last part of the path, cut off it. */
static xt_slice cut_last(xt_slice *path)
{
    while (path->n > 0 && path->p[path->n - 1] == '/')
        path->n--;
    size_t at = path->n;
    while (at > 0 && path->p[at - 1] != '/')
        at--;
    xt_slice last = xt_slice_skip(*path, at);
    *path = xt_slice_head(*path, at > 0 ? at - 1 : 0);
    return last;
}

static void read_path(xt_slice path, xt_slice *container, xt_slice *unit)
{
    xt_slice name;
    for (bool has_container = false; (name = cut_last(&path)).n > 0;) {
        xt_slice rest = path, inner = name;
        if (!has_container && cut_container(&inner, cut_last(&rest))) {
            has_container = true;
            *container = inner;
        } else if (unit->n == 0 && is_unit(name)) {
            *unit = name;
        }
    }
}

void xt_cgroup_parse(xt_slice text, xt_slice *ret_container, xt_slice *ret_unit)
{
    xt_slice line, number, controllers, container = XT_S_NULL, unit = XT_S_NULL;
    while (xt_slice_cut(&text, '\n', &line)) {
        if (!xt_slice_cut(&line, ':', &number) || !xt_slice_cut(&line, ':', &controllers))
            continue;
        xt_slice here = XT_S_NULL, its_unit = XT_S_NULL;
        read_path(line, &here, &its_unit);
        if (container.n == 0)
            container = here;
        /* units are in systemd's own hierarchy: its name in version 1, the only one in version 2 */
        if (unit.n == 0 && (controllers.n == 0 || xt_slice_eq(controllers, XT_S("name=systemd"))))
            unit = its_unit;
    }
    *ret_container = container;
    *ret_unit = unit;
}

int xt_cgroup_get(xt_cgroup_set *set, xt_slice text, xt_cgroup **ret)
{
    xt_cgroup *group = xt_map_find(&set->map, text);
    if (!group) {
        group = calloc(1, sizeof *group + text.n);
        if (!group)
            return xt_error_origin(-ENOMEM);
        if (text.n > 0)
            memcpy(group + 1, text.p, text.n);
        group->text = xt_slice_of(group + 1, text.n);
        xt_cgroup_parse(group->text, &group->container, &group->unit);
        int r = xt_map_put(&set->map, group->text, group, NULL);
        if (r < 0) {
            free(group);
            return xt_error_trace(r);
        }
    }
    *ret = xt_cgroup_ref(group);
    return 0;
}

xt_cgroup *xt_cgroup_ref(xt_cgroup *group)
{
    if (group)
        group->n_refs++;
    return group;
}

xt_cgroup *xt_cgroup_unref(xt_cgroup_set *set, xt_cgroup *group)
{
    if (group && --group->n_refs == 0) {
        xt_map_remove(&set->map, group->text);
        free(group);
    }
    return NULL;
}

void xt_cgroup_set_fini(xt_cgroup_set *set)
{
    xt_map_fini(&set->map);
}
