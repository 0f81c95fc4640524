/* What people decide about hosts: who may come, and in which group they are. */
#include "server/hosts_private.h"
#include "server/secret.h"

/* The enrolled host of that id, else the latest of that name. */
static xt_host_entry *find_enrolled(xt_hosts *hosts, xt_slice host)
{
    xt_host_entry *entry = xt_hosts_find(hosts, host);

    if (!entry)
        entry = xt_hosts_named(hosts, host, XT_HOSTS_ENROLLED);
    return entry && !entry->host.imported ? entry : NULL;
}

static int no_such_host(xt_slice host, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "no enrolled host has this id or name");
    xt_problem_excerpt(reterr_problem, host);
    return XT_APP_E_NOT_FOUND;
}

int xt_hosts_revoke(xt_hosts *hosts, xt_slice host, bool revoked, xt_slice who, xt_problem *reterr_problem)
{
    char id[33] = "";

    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = find_enrolled(hosts, host);
    bool changed = entry && entry->host.revoked != revoked;
    if (entry) {
        entry->host.revoked = revoked;
        xt_text_copy(id, sizeof id, xt_host_entry_id(entry));
    }
    if (changed && revoked)
        xt_hosts_note(hosts, &entry->host, "revoked-host", who, "the host was revoked: it is refused from now on");
    else if (changed)
        xt_hosts_note(hosts, &entry->host, "restored-host", who, "the host may come again");
    pthread_mutex_unlock(&hosts->lock);
    if (!entry)
        return no_such_host(host, reterr_problem);
    return xt_error_trace(xt_state_run(hosts->state, reterr_problem, NULL, "UPDATE hosts SET revoked = ? WHERE id = ?",
                                       "iz", (int64_t)revoked, id));
}

/* ------------------------------------------------------------------------------------------------ groups */

int xt_host_group_check(xt_slice group, xt_problem *reterr_problem)
{
    bool good = group.n < XT_HOST_GROUP_BYTES;

    for (size_t i = 0; i < group.n; i++) {
        char c = group.p[i], low = (char)(c | 0x20);
        good &= (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || (c == '-' && i > 0);
    }
    if (good)
        return 0;
    xt_problem_source(reterr_problem, "group");
    xt_problem_set(reterr_problem,
                   "the name of a group of hosts has at most %d letters, digits, dots, dashes and underscores",
                   XT_HOST_GROUP_BYTES - 1);
    xt_problem_excerpt(reterr_problem, group);
    return XT_APP_E_INVALID;
}

static xt_host_entry *find_any(xt_hosts *hosts, xt_slice host)
{
    xt_host_entry *entry = find_enrolled(hosts, host);

    if (!entry)
        entry = xt_hosts_find(hosts, host);
    return entry ? entry : xt_hosts_named(hosts, host, XT_HOSTS_ANY);
}

/* The whole row is written: an imported host may have none yet. */
static int group_save(xt_hosts *hosts, const xt_host_entry *entry, xt_problem *reterr_problem)
{
    int r = xt_state_begin(hosts->state, reterr_problem);

    if (r)
        return xt_error_trace(r);
    return xt_state_end(hosts->state, xt_host_entry_save(hosts, entry, reterr_problem), reterr_problem);
}

int xt_hosts_set_group(xt_hosts *hosts, xt_slice host, xt_slice group, xt_problem *reterr_problem)
{
    xt_host_entry copy = {0};
    int r = xt_host_group_check(group, reterr_problem);

    if (r)
        return r;
    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = find_any(hosts, host);
    if (entry) {
        xt_text_copy(entry->host.group, sizeof entry->host.group, group);
        entry->dirty = true; /* what is being written down may be the row as it was */
        hosts->n_group_changes++;
        copy = *entry;
    }
    pthread_mutex_unlock(&hosts->lock);
    if (!entry) {
        xt_problem_set(reterr_problem, "no host has this id or name");
        xt_problem_excerpt(reterr_problem, host);
        return XT_APP_E_NOT_FOUND;
    }
    return group_save(hosts, &copy, reterr_problem);
}

void xt_hosts_group_of(xt_hosts *hosts, xt_slice id, char ret[static XT_HOST_GROUP_BYTES])
{
    pthread_mutex_lock(&hosts->lock);
    const xt_host_entry *entry = xt_hosts_find(hosts, id);
    xt_text_copy(ret, XT_HOST_GROUP_BYTES, xt_slice_str(entry ? entry->host.group : ""));
    pthread_mutex_unlock(&hosts->lock);
}

unsigned xt_hosts_group_changes(xt_hosts *hosts)
{
    pthread_mutex_lock(&hosts->lock);
    unsigned n = hosts->n_group_changes;
    pthread_mutex_unlock(&hosts->lock);
    return n;
}

int xt_hosts_quarantine(xt_hosts *hosts, xt_slice host, xt_slice who, xt_problem *reterr_problem)
{
    char id[33] = "";

    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = find_enrolled(hosts, host);
    if (entry) {
        if (!entry->host.quarantined)
            xt_hosts_note(hosts, &entry->host, "quarantined-host", who, "the host is refused until it is released");
        entry->host.quarantined = true;
        xt_text_copy(id, sizeof id, xt_host_entry_id(entry));
    }
    pthread_mutex_unlock(&hosts->lock);
    if (!entry)
        return no_such_host(host, reterr_problem);
    return xt_error_trace(
        xt_state_run(hosts->state, reterr_problem, NULL, "UPDATE hosts SET quarantined = 1 WHERE id = ?", "z", id));
}

int xt_hosts_release(xt_hosts *hosts, xt_slice host, xt_slice who, xt_problem *reterr_problem)
{
    xt_host_entry saved;

    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = find_enrolled(hosts, host);
    if (entry) {
        xt_host *h = &entry->host;
        bool was_quarantined = h->quarantined, was_cloned = h->cloned;
        h->quarantined = h->cloned = false;
        h->clone_ms = entry->clone_noted_ms = 0;
        h->clone_machine_id[0] = h->clone_boot_id[0] = h->clone_address[0] = '\0';
        memset(entry->boots_before, 0, sizeof entry->boots_before);
        bool any_machine = !h->connected && !(was_quarantined && !was_cloned);
        if (any_machine)
            h->machine_id[0] = '\0';
        xt_hosts_note(hosts, h, "released-host", who,
                      any_machine  ? "the next machine that comes is the host"
                      : was_cloned ? "what was noted of a clone is forgotten"
                                   : "the host may come again");
        entry->dirty = true; /* what is saved below may be older than what comes meanwhile */
        saved = *entry;
    }
    pthread_mutex_unlock(&hosts->lock);
    if (!entry)
        return no_such_host(host, reterr_problem);
    return xt_error_trace(xt_host_entry_save(hosts, &saved, reterr_problem));
}
