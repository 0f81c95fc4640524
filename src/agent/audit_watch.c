/*
 * How it works: everything is asked on a control socket of its own. The order at the start is: remember, write that
 * down, rules, backlog, socket, switch; at the end the other way round. How long a task waits for the backlog is what
 * `protect` says (agent/protect.h), because the kernel's own 60 seconds stop a host whose collector is stuck.
 */
#include "agent/audit_watch.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "agent/audit_before.h"
#include "base/log.h"

const char *xt_watch_mode_name(xt_watch_mode mode)
{
    static const char *const names[] = {"owner", "multicast", "plugin", "text", "af_unix", "follow"};
    return names[mode];
}

const char *xt_watch_completeness(xt_watch_mode mode)
{
    static const char *const sentences[] = {
        "complete: every record reaches this agent, and what the kernel loses is counted",
        "unproven, best effort: the kernel drops records for a listener that is too slow, without counting them",
        "unproven, as complete as auditd: its queues may drop records that nobody counts",
        "unproven: records come as text from elsewhere",
        ("unproven, as complete as auditd: its queues may drop records that nobody counts, and what it sends while "
         "this "
         "agent is not connected is gone"),
        "unproven, as complete as auditd's log: what a full disk or its rate keeps out of the log nobody counts",
    };
    return sentences[mode];
}

static int refused(int r)
{
    return r > 0 ? XT_WATCH_E_REFUSED : xt_error_trace(r);
}

int xt_watch_probe(xt_problem *reterr_problem)
{
    xt_netlink *nl;
    xt_audit_status status;
    int r = xt_netlink_open(&nl, reterr_problem);
    if (r != 0)
        return refused(r);
    r = xt_netlink_status_get(nl, &status, reterr_problem);
    xt_netlink_close(nl);
    return r != 0 ? refused(r) : 0;
}

/* One pass over the loaded rules. */
typedef struct rules_pass {
    xt_watch *watch;
    xt_buf bytes; /* of all rules: what the hash is of */
    xt_buf auid;  /* those with an auid filter, which blind only when ours are not loaded */
} rules_pass;

static void put_line(xt_buf *out, const struct audit_rule_data *rule, size_t n_bytes)
{
    if (out->n > 0)
        xt_buf_putc(out, '\n');
    xt_rule_format(rule, n_bytes, out);
}

static void see_rule(void *context, const struct audit_rule_data *rule, size_t n_bytes)
{
    rules_pass *pass = context;
    xt_watch *watch = pass->watch;
    xt_buf_put(&pass->bytes, xt_slice_of(rule, n_bytes));
    xt_rule_entry *entry = xt_rule_book_find(&watch->book, rule, n_bytes);
    if (entry)
        entry->loaded = true;
    xt_rule_blinds blinds = xt_rule_blinds_get(rule);
    if (blinds == XT_RULE_BLINDS_NEVER)
        put_line(&watch->blind, rule, n_bytes);
    else if (blinds == XT_RULE_BLINDS_AUID)
        put_line(&pass->auid, rule, n_bytes);
}

int xt_watch_rules(xt_watch *watch, xt_problem *reterr_problem)
{
    rules_pass pass = {.watch = watch};
    xt_buf_reset(&watch->blind);
    for (size_t i = 0; i < watch->book.n; i++)
        watch->book.entries[i].loaded = false;
    int r = xt_netlink_rules_list(watch->control, see_rule, &pass, reterr_problem);
    if (!xt_rule_book_has_exec(&watch->book) && pass.auid.n > 0) {
        if (watch->blind.n > 0)
            xt_buf_putc(&watch->blind, '\n');
        xt_buf_put(&watch->blind, xt_buf_slice(&pass.auid));
    }
    xt_hash128_format(xt_slice_hash128(xt_buf_slice(&pass.bytes)), watch->rules_hash);
    xt_buf_fini(&pass.bytes);
    xt_buf_fini(&pass.auid);
    return r != 0 ? refused(r) : xt_buf_done(&watch->blind);
}

int xt_watch_status(xt_watch *watch, xt_problem *reterr_problem)
{
    int r = xt_netlink_status_get(watch->control, &watch->status, reterr_problem);
    return r != 0 ? refused(r) : 0;
}

static bool owner_lives(const xt_audit_status *status)
{
    return status->pid != 0 && (kill((pid_t)status->pid, 0) == 0 || errno == EPERM);
}

bool xt_watch_is_owner(const xt_watch *watch)
{
    return watch->owner != 0 && watch->status.pid == (uint32_t)watch->owner;
}

/* The socket is ours already: who told the kernel of it has ended, and it takes no other owner while the socket is open. */
static int adopt(xt_watch *watch, int fd, pid_t owner)
{
    bool wanted = watch->settings->audit == XT_AUDIT_AUTO || watch->settings->audit == XT_AUDIT_OWN;
    if (fd < 0 || !wanted || watch->settings->input != XT_INPUT_KERNEL || watch->status.pid != (uint32_t)owner)
        return 0;
    int r = xt_netlink_adopt(fd, &watch->records);
    watch->adopted = watch->owned = r == 0;
    watch->owner = r == 0 ? owner : 0;
    return r;
}

static int choose_mode(xt_watch *watch, xt_problem *reterr_problem)
{
    xt_agent_audit asked = watch->settings->audit;
    const xt_audit_status *status = &watch->status;
    if (asked == XT_AUDIT_AF_UNIX || asked == XT_AUDIT_FOLLOW || watch->settings->input == XT_INPUT_STANDARD) {
        watch->mode = asked == XT_AUDIT_AF_UNIX  ? XT_WATCH_AF_UNIX
                      : asked == XT_AUDIT_FOLLOW ? XT_WATCH_FOLLOW
                                                 : XT_WATCH_PLUGIN;
        return 0;
    }
    if (asked == XT_AUDIT_PLUGIN) {
        xt_problem_set(reterr_problem, "--audit plugin reads what auditd writes to standard input");
        xt_problem_hint(reterr_problem, "let auditd start it: exectrail-agent install-plugin");
        return XT_WATCH_E_REFUSED;
    }
    watch->mode = asked == XT_AUDIT_MULTICAST ? XT_WATCH_MULTICAST : XT_WATCH_OWNER;
    if (asked != XT_AUDIT_AUTO || watch->adopted)
        return 0;
    if (status->enabled == 2) {
        watch->mode = XT_WATCH_MULTICAST;
        xt_log(XT_LOG_WARN,
               "the audit configuration is locked until the next boot (enabled is 2): listening beside (multicast)");
    } else if (owner_lives(status)) {
        watch->mode = XT_WATCH_MULTICAST;
        xt_log(XT_LOG_WARN,
               "process %u (auditd?) owns the audit socket and keeps it: run `exectrail-agent install-plugin` to come "
               "in as "
               "its plugin; until then this agent listens beside it (multicast, best effort)",
               status->pid);
    }
    return 0;
}

/* What a rule is about is not there: a folder, or the folder of a file. */
static bool is_absent(int r)
{
    return r == -ENOENT || r == -ENOTDIR || r == XT_NETLINK_E_UNKNOWN; /* as ENOENT is called for rules */
}

/* Why the kernel did not take it, kept with the entry and said in the problem. */
static void mark_refused(xt_rule_entry *entry, int r, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_buf why = XT_BUF_ON(entry->refused);
    if (is_absent(r))
        xt_buf_puts(&why, "what it watches is not there");
    else if (r < 0)
        xt_buf_printf(&why, "the kernel refuses it: %s", strerror(-r));
    else
        xt_buf_printf(&why, "%.90s", problem->sentence);
    entry->refused[why.n] = '\0';
    xt_rule_format(entry->rule.data, entry->rule.n_bytes, &text);
    xt_problem_set(problem, "rule of group %s not loaded, %s: %.*s", entry->group, entry->refused,
                   XT_S_ARGS(xt_buf_slice(&text)));
    entry->added = false;
}

/* 0 when it is loaded, also where somebody else loaded it. */
static int rule_add(xt_watch *watch, xt_rule_entry *entry, xt_problem *problem)
{
    int r = xt_netlink_rule_add(watch->control, entry->rule.data, entry->rule.n_bytes, problem);
    if (r == XT_NETLINK_E_EXISTS)
        entry->added = false;
    if (r != 0 && r != XT_NETLINK_E_EXISTS) {
        mark_refused(entry, r, problem);
        return r;
    }
    entry->loaded = true;
    entry->refused[0] = '\0';
    return 0;
}

static bool is_missing(const xt_rule_entry *entry)
{
    return !entry->loaded && !entry->refused[0];
}

/* Those of groups that the kernel refuses are named, the others stay. */
static int rules_add(xt_watch *watch, xt_problem *reterr_problem)
{
    for (size_t i = 0; i < watch->book.n; i++) {
        xt_rule_entry *entry = &watch->book.entries[i];
        if (!is_missing(entry))
            continue;
        int r = rule_add(watch, entry, reterr_problem);
        if (r != 0 && strcmp(entry->group, XT_RULE_BOOK_EXEC) == 0)
            return refused(r);
        if (r != 0)
            xt_log_problem(is_absent(r) ? XT_LOG_DEBUG : XT_LOG_WARN, reterr_problem);
    }
    return 0;
}

/* What the kernel has otherwise than `protect` wants it; a limit that is higher may stay, but not the one that is none. */
static uint32_t backlog_mask(const xt_watch *watch)
{
    const xt_audit_status *now = &watch->status;
    if (watch->mode != XT_WATCH_OWNER)
        return 0;
    return (now->backlog_limit < watch->limits.backlog_limit ? AUDIT_STATUS_BACKLOG_LIMIT : 0) |
           (now->backlog_wait_time != watch->limits.wait_ticks ? AUDIT_STATUS_BACKLOG_WAIT_TIME : 0);
}

static int status_change(xt_watch *watch, uint32_t mask, xt_problem *reterr_problem)
{
    const xt_audit_status want = {
        .enabled = 1,
        .backlog_limit = watch->limits.backlog_limit,
        .backlog_wait_time = watch->limits.wait_ticks,
    };
    int r = mask ? xt_netlink_status_set(watch->control, mask, &want, reterr_problem) : 0;
    return r != 0 ? refused(r) : 0;
}

static int own(xt_watch *watch, xt_problem *reterr_problem)
{
    int r = xt_netlink_own(watch->records, reterr_problem);
    if (r == 0)
        xt_netlink_buffer_set(watch->records, watch->limits.audit_bytes);
    return r;
}

static void complain(int r, const xt_problem *problem)
{
    if (r != 0)
        xt_log_problem(XT_LOG_WARN, problem);
}

static void rule_delete(xt_watch *watch, const xt_rule_entry *entry)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_netlink_rule_delete(watch->control, entry->rule.data, entry->rule.n_bytes, &problem);
    complain(r == XT_NETLINK_E_UNKNOWN ? 0 : r, &problem);
}

/*
 * The rules of an agent that was killed are ours, and stay until it is known which are wanted: what is wanted is never away.
 * What of them is gone is not loaded again, because the kernel looks a path up for it, which may hang.
 */
static int take_over_rules(xt_watch *watch, const xt_rule_book *added, xt_problem *reterr_problem)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < added->n; i++) {
        const xt_rule_entry *theirs = &added->entries[i];
        r = xt_rule_book_add(&watch->book, theirs->group, theirs->rule.data, theirs->rule.n_bytes, reterr_problem);
        if (r > 0) /* there were more than a book holds: killed within a change, which has the rules before and after */
            rule_delete(watch, theirs);
    }
    if (r >= 0)
        r = xt_watch_rules(watch, reterr_problem);
    if (r != 0)
        return r;
    xt_rule_book_drop_missing(&watch->book, XT_RULE_BOOK_BEFORE);
    for (size_t i = 0; i < added->n; i++) {
        const xt_rule_entry *theirs = &added->entries[i];
        xt_rule_entry *ours = xt_rule_book_find(&watch->book, theirs->rule.data, theirs->rule.n_bytes);
        if (ours)
            ours->added = true;
    }
    return 0;
}

/* What to give back: what is there now, or, after a kill, what was there before the agent that was killed. */
static int remember(xt_watch *watch, xt_problem *reterr_problem)
{
    int r = 0;
    xt_watch_before before = {
        .enabled = watch->status.enabled,
        .backlog_limit = watch->status.backlog_limit,
        .backlog_wait_time = watch->status.backlog_wait_time,
        .failure = watch->status.failure,
    };
    xt_watch_before killed;
    xt_rule_book added; /* by the agent that was killed */
    xt_rule_book_init(&added);
    for (size_t i = 0; i < watch->book.n; i++)
        watch->book.entries[i].added = !watch->book.entries[i].loaded;
    if (xt_audit_before_read(watch->settings, &killed, &added)) {
        before = killed;
        r = take_over_rules(watch, &added, reterr_problem);
    }
    xt_rule_book_fini(&added);
    watch->before = before;
    if (r == 0)
        r = xt_audit_before_write(watch->settings, &before, &watch->book, reterr_problem);
    watch->changed = r == 0;
    return r;
}

static int take_over(xt_watch *watch, xt_problem *reterr_problem)
{
    bool locked = watch->status.enabled == 2;
    int r = locked ? 0 : remember(watch, reterr_problem);
    if (r == 0 && watch->mode == XT_WATCH_OWNER && !watch->adopted)
        r = xt_netlink_open(&watch->records, reterr_problem);
    else if (r == 0 && watch->mode == XT_WATCH_MULTICAST)
        r = xt_netlink_open_multicast(&watch->records, reterr_problem);
    if (r == 0 && watch->mode == XT_WATCH_OWNER && !watch->adopted) {
        r = own(watch, reterr_problem);
        watch->owned = r == 0;
        watch->owner = r == 0 ? getpid() : 0;
    }
    if (r == 0 && !locked)
        r = status_change(watch, backlog_mask(watch) | (watch->status.enabled == 0 ? AUDIT_STATUS_ENABLED : 0),
                          reterr_problem);
    if (r == 0 && !locked)
        r = rules_add(watch, reterr_problem);
    if (r != 0)
        return refused(r);
    r = xt_watch_rules(watch, reterr_problem);
    return r != 0 ? r : xt_watch_status(watch, reterr_problem);
}

static int begin(xt_watch *watch, int adopt_fd, pid_t adopt_owner, xt_problem *reterr_problem)
{
    int r = xt_netlink_open(&watch->control, reterr_problem);
    if (r == 0)
        r = xt_netlink_status_get(watch->control, &watch->status, reterr_problem);
    if (r != 0)
        return refused(r);
    r = xt_rule_book_add_exec(&watch->book, reterr_problem);
    if (r == 0)
        r = xt_watch_rules(watch, reterr_problem);
    if (r == 0)
        r = adopt(watch, adopt_fd, adopt_owner);
    if (r == 0)
        r = choose_mode(watch, reterr_problem);
    return r == 0 ? take_over(watch, reterr_problem) : r;
}

int xt_watch_open(const xt_agent_settings *settings, int adopt_fd, pid_t adopt_owner, xt_watch *ret,
                  xt_problem *reterr_problem)
{
    *ret = (xt_watch){.settings = settings, .limits = xt_protect_limits_get(settings->protect)};
    xt_rule_book_init(&ret->book);
    if (settings->is_text) {
        ret->mode = XT_WATCH_TEXT; /* text from anywhere: the kernel here is none of its business */
        return 0;
    }
    int r = begin(ret, adopt_fd, adopt_owner, reterr_problem);
    if (r != 0) {
        xt_watch_restore(ret);
        xt_watch_close(ret);
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------- changes */

/* What both books have keeps what is known of it. */
static void carry_over(const xt_rule_book *from, xt_rule_book *to)
{
    for (size_t i = 0; i < to->n; i++) {
        xt_rule_entry *entry = &to->entries[i];
        const xt_rule_entry *was = xt_rule_book_find(from, entry->rule.data, entry->rule.n_bytes);
        entry->added = was ? was->added : true; /* until the kernel says that it has it */
        entry->loaded = was && was->loaded;
    }
}

/* Adds what is not loaded. On a refusal, strict: takes away again what it added. */
static int add_new(xt_watch *watch, xt_rule_book *next, bool strict, xt_problem *reterr_problem)
{
    int r = 0;
    size_t i = 0;
    for (; i < next->n; i++) {
        xt_rule_entry *entry = &next->entries[i];
        if (entry->loaded)
            continue;
        entry->added = true;
        r = rule_add(watch, entry, reterr_problem);
        if (r != 0 && strict && !is_absent(r))
            break;
        if (r != 0)
            xt_log_problem(is_absent(r) ? XT_LOG_DEBUG : XT_LOG_WARN, reterr_problem);
        r = 0;
    }
    for (size_t k = 0; r != 0 && k < i; k++) {
        const xt_rule_entry *entry = &next->entries[k];
        const xt_rule_entry *was = xt_rule_book_find(&watch->book, entry->rule.data, entry->rule.n_bytes);
        if (entry->added && entry->loaded && !(was && was->loaded))
            rule_delete(watch, entry);
    }
    return r;
}

static void delete_old(xt_watch *watch, const xt_rule_book *next)
{
    for (size_t i = 0; i < watch->book.n; i++) {
        const xt_rule_entry *entry = &watch->book.entries[i];
        if (entry->added && !xt_rule_book_find(next, entry->rule.data, entry->rule.n_bytes))
            rule_delete(watch, entry);
    }
}

int xt_watch_change(xt_watch *watch, const xt_rule_book *groups, bool without_exec, bool strict,
                    xt_problem *reterr_problem)
{
    if (!watch->control)
        return 0; /* text: no kernel of ours */
    if (watch->status.enabled == 2) {
        xt_problem_set(reterr_problem, "the audit configuration of this host is locked until its next boot");
        return XT_WATCH_E_REFUSED;
    }
    xt_rule_book next;
    xt_rule_book_init(&next);
    int r = without_exec ? 0 : xt_rule_book_add_exec(&next, reterr_problem);
    if (r == 0)
        r = xt_rule_book_add_book(&next, groups, reterr_problem);
    if (r == 0)
        r = xt_watch_rules(watch, reterr_problem);
    if (r == 0) {
        carry_over(&watch->book, &next);
        r = xt_audit_rules_write(watch->settings, &watch->book, &next, reterr_problem);
    }
    if (r == 0)
        r = add_new(watch, &next, strict, reterr_problem);
    if (r == 0) {
        delete_old(watch, &next);
        xt_rule_book_fini(&watch->book);
        watch->book = next;
        watch->paused = without_exec;
    } else {
        xt_rule_book_fini(&next);
    }
    xt_problem later = XT_PROBLEM_INIT;
    complain(xt_audit_rules_write(watch->settings, &watch->book, NULL, &later), &later);
    complain(xt_watch_rules(watch, &later), &later);
    return r < 0 && r != -ENOMEM ? XT_WATCH_E_REFUSED : refused(r);
}

/* ------------------------------------------------------------------------------------------------- drift */

static unsigned count_missing(const xt_watch *watch)
{
    unsigned n = 0;
    for (size_t i = 0; i < watch->book.n; i++)
        n += is_missing(&watch->book.entries[i]);
    return n;
}

bool xt_watch_has_drifted(const xt_watch *watch, xt_watch_drift what)
{
    if (!watch->changed)
        return false;
    switch (what) {
    case XT_WATCH_SWITCH:
        return watch->status.enabled == 0;
    case XT_WATCH_SOCKET:
        return watch->owned && !xt_watch_is_owner(watch);
    case XT_WATCH_RULES:
        return count_missing(watch) > 0;
    default:
        return backlog_mask(watch) != 0;
    }
}

void xt_watch_drift_put(const xt_watch *watch, xt_watch_drift what, xt_buf *out)
{
    const xt_audit_status *now = &watch->status;
    if (what == XT_WATCH_SWITCH)
        xt_buf_puts(out, "the kernel's audit switch (enabled is 0)");
    else if (what == XT_WATCH_SOCKET)
        xt_buf_printf(out, "the audit socket (of process %u)", now->pid);
    else if (what == XT_WATCH_RULES)
        xt_buf_printf(out, "the agent's rules (%u of %zu are not loaded)", count_missing(watch), watch->book.n);
    else
        xt_buf_printf(out, "the backlog's limit and wait (%u and %u ticks, not %u and %u)", now->backlog_limit,
                      now->backlog_wait_time, watch->limits.backlog_limit, watch->limits.wait_ticks);
}

/* The kernel answers in order: when it has told its status, it has seen the request before. */
static int own_again(xt_watch *watch, xt_problem *reterr_problem)
{
    int r = xt_netlink_own_again(watch->records);
    if (r == 0)
        r = xt_watch_status(watch, reterr_problem);
    if (r != 0)
        return r;
    if (watch->status.pid == (uint32_t)getpid()) {
        watch->owner = getpid();
        watch->adopted = false;
        return 0;
    }
    xt_problem_set(reterr_problem, "process %u has it and keeps it", watch->status.pid);
    return XT_WATCH_E_REFUSED;
}

int xt_watch_repair(xt_watch *watch, xt_watch_drift what, xt_problem *reterr_problem)
{
    switch (what) {
    case XT_WATCH_SWITCH:
        return status_change(watch, AUDIT_STATUS_ENABLED, reterr_problem);
    case XT_WATCH_SOCKET:
        return own_again(watch, reterr_problem);
    case XT_WATCH_RULES:
        return rules_add(watch, reterr_problem);
    default:
        return status_change(watch, backlog_mask(watch), reterr_problem);
    }
}

void xt_watch_restore(xt_watch *watch)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (!watch->changed)
        return;
    for (size_t i = 0; i < watch->book.n; i++)
        if (watch->book.entries[i].added)
            rule_delete(watch, &watch->book.entries[i]);
    xt_audit_status back = {
        .enabled = watch->before.enabled,
        .backlog_limit = watch->before.backlog_limit,
        .backlog_wait_time = watch->before.backlog_wait_time,
    };
    uint32_t mask = AUDIT_STATUS_ENABLED;
    if (watch->mode == XT_WATCH_OWNER)
        mask |= AUDIT_STATUS_BACKLOG_LIMIT | AUDIT_STATUS_BACKLOG_WAIT_TIME;
    complain(xt_netlink_status_set(watch->control, mask, &back, &problem), &problem);
    if (watch->owned && !watch->adopted)
        complain(xt_netlink_disown(watch->records, &problem), &problem);
    watch->changed = false;
    xt_audit_before_remove(watch->settings);
}

void xt_watch_close(xt_watch *watch)
{
    watch->records = xt_netlink_close(watch->records);
    /* Of a socket that is closed everywhere the kernel lets go when anybody asks. */
    if (watch->adopted && watch->control && !watch->changed)
        (void)!xt_netlink_status_set(watch->control, AUDIT_STATUS_PID, &(xt_audit_status){.pid = 0}, NULL);
    watch->control = xt_netlink_close(watch->control);
    xt_buf_fini(&watch->blind);
    xt_rule_book_fini(&watch->book);
}
