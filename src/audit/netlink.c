/*
 * Requests go out with a sequence number of ours, and only answers with that number count. A record that comes in
 * between (the socket has just become the owner's) stays in its slot of the batch and is handed out by the next
 * receive, so none is lost. Giving the ownership back is asked on a socket of its own, for there any number of
 * records may stand before the answer; the kernel goes by the process, not by the socket.
 *
 * Every slot holds the kernel's longest record, so nothing is allocated or copied when records arrive.
 */
#include "audit/netlink.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define SLOT_BYTES           9216 /* the kernel writes at most 8970 */
#define RECEIVE_BUFFER_BYTES (32 << 20)
#define ANSWER_TIMEOUT_MS    5000

typedef union slot {
    struct nlmsghdr header;
    char bytes[SLOT_BYTES];
} slot;

struct xt_netlink {
    int fd;
    uint32_t seq;
    unsigned n_kept; /* messages that a request left for the next receive */
    xt_netlink_counters counters;
    xt_netlink_message messages[XT_NETLINK_BATCH];
    struct mmsghdr headers[XT_NETLINK_BATCH];
    struct iovec vectors[XT_NETLINK_BATCH];
    struct sockaddr_nl senders[XT_NETLINK_BATCH];
    slot slots[XT_NETLINK_BATCH];
};

typedef struct request {
    struct nlmsghdr header;
    char data[SLOT_BYTES];
} request;

/* What a request waits for: each answer of that type goes to `take`; `until` ends it (NLMSG_ERROR ends all). */
typedef struct answer {
    uint16_t type, until;
    void (*take)(void *context, xt_slice payload);
    void *context;
} answer;

static int outcome_absent(xt_problem *problem)
{
    xt_problem_set(problem, "this kernel has no audit subsystem");
    xt_problem_hint(problem, "boot without audit=0 and with a kernel built with CONFIG_AUDIT");
    return XT_NETLINK_E_ABSENT;
}

static int outcome_denied(xt_problem *problem, const char *what)
{
    xt_problem_set(problem, "the kernel does not let this process %s", what);
    xt_problem_hint(problem,
                    "run as root with CAP_AUDIT_CONTROL and CAP_AUDIT_READ in the first pid and user namespace");
    return XT_NETLINK_E_DENIED;
}

/* ---- opening ---- */

static void slots_prepare(xt_netlink *nl)
{
    for (size_t i = 0; i < XT_NETLINK_BATCH; i++) {
        nl->vectors[i] = (struct iovec){nl->slots[i].bytes, SLOT_BYTES};
        nl->headers[i].msg_hdr.msg_iov = &nl->vectors[i];
        nl->headers[i].msg_hdr.msg_iovlen = 1;
        nl->headers[i].msg_hdr.msg_name = &nl->senders[i];
    }
}

static int open_with_groups(uint32_t groups, xt_netlink **ret, xt_problem *reterr_problem)
{
    /* untouched slots cost no memory */
    xt_netlink *nl = calloc(1, sizeof *nl);
    if (!nl)
        return xt_error_origin(-ENOMEM);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
    int r = nl->fd < 0 ? -errno : 0;
    if (r == 0 && bind(nl->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        r = -errno;
    if (r < 0) {
        (void)xt_netlink_close(nl);
        if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT)
            return outcome_absent(reterr_problem);
        if (r == -EPERM || r == -EACCES)
            return outcome_denied(reterr_problem, "open an audit socket");
        xt_problem_set(reterr_problem, "an audit socket cannot be opened: %s", strerror(-r));
        return xt_error_origin(r);
    }
    slots_prepare(nl);
    *ret = nl;
    return 0;
}

int xt_netlink_open(xt_netlink **ret, xt_problem *reterr_problem)
{
    return open_with_groups(0, ret, reterr_problem);
}

int xt_netlink_adopt(int fd, xt_netlink **ret)
{
    xt_netlink *nl = calloc(1, sizeof *nl);
    if (!nl)
        return xt_error_origin(-ENOMEM);
    nl->fd = fd;
    slots_prepare(nl);
    *ret = nl;
    return 0;
}

void xt_netlink_buffer_set(xt_netlink *nl, size_t n_bytes)
{
    int bytes = n_bytes < INT_MAX / 2 ? (int)n_bytes : INT_MAX / 2;
    if (setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int xt_netlink_open_multicast(xt_netlink **ret, xt_problem *reterr_problem)
{
    int r = open_with_groups(1u << (AUDIT_NLGRP_READLOG - 1), ret, reterr_problem);
    if (r == 0)
        xt_netlink_buffer_set(*ret, RECEIVE_BUFFER_BYTES);
    return r;
}

xt_netlink *xt_netlink_close(xt_netlink *nl)
{
    if (nl && nl->fd >= 0)
        (void)close(nl->fd);
    free(nl);
    return NULL;
}

int xt_netlink_fd(const xt_netlink *nl)
{
    return nl->fd;
}

/* ---- receiving ---- */

/* Requests' answers and the kernel's questions; the old user record and LOGIN lie among them. */
static bool is_control(uint16_t type)
{
    return type == AUDIT_REPLACE || (type < AUDIT_FIRST_USER_MSG && type != AUDIT_USER && type != AUDIT_LOGIN);
}

/* Fills slots from `from` on, at most n; how many came, 0 when none is there. */
static int receive_slots(xt_netlink *nl, unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++) {
        nl->headers[i].msg_hdr.msg_namelen = sizeof nl->senders[i];
        nl->headers[i].msg_hdr.msg_flags = 0;
    }
    int r = recvmmsg(nl->fd, &nl->headers[from], n, MSG_DONTWAIT, NULL);
    if (r >= 0)
        return r;
    if (errno == ENOBUFS) {
        nl->counters.n_overruns++;
        return 0;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : xt_error_origin(-errno);
}

/* False for what did not come from the kernel or is shorter than a header. */
static bool slot_read(xt_netlink *nl, unsigned i, xt_netlink_message *ret)
{
    const struct mmsghdr *m = &nl->headers[i];
    if (m->msg_hdr.msg_namelen != sizeof nl->senders[i] || nl->senders[i].nl_pid != 0) {
        nl->counters.n_forged++;
        return false;
    }
    if (m->msg_len < NLMSG_HDRLEN)
        return false;
    nl->counters.n_truncated += (m->msg_hdr.msg_flags & MSG_TRUNC) != 0;
    ret->type = nl->slots[i].header.nlmsg_type;
    ret->payload = xt_slice_of(nl->slots[i].bytes + NLMSG_HDRLEN, m->msg_len - NLMSG_HDRLEN);
    return true;
}

static bool slot_read_record(xt_netlink *nl, unsigned i, xt_netlink_message *ret)
{
    if (!slot_read(nl, i, ret))
        return false;
    if (is_control(ret->type)) {
        nl->counters.n_control++;
        return false;
    }
    nl->counters.n_messages++;
    nl->counters.n_bytes += ret->payload.n;
    return true;
}

/* 1 when something can be read, 0 when the time is over or a signal came. */
static int wait_readable(const xt_netlink *nl, int timeout_ms)
{
    struct pollfd fd = {.fd = nl->fd, .events = POLLIN};
    int r = poll(&fd, 1, timeout_ms);
    if (r < 0 && errno != EINTR)
        return xt_error_origin(-errno);
    return r > 0;
}

int xt_netlink_receive(xt_netlink *nl, int timeout_ms, const xt_netlink_message **ret_messages, size_t *ret_n,
                       xt_problem *reterr_problem)
{
    size_t n = nl->n_kept;
    nl->n_kept = 0;
    if (n == 0) {
        int came = receive_slots(nl, 0, XT_NETLINK_BATCH);
        if (came == 0 && timeout_ms != 0 && (came = wait_readable(nl, timeout_ms)) > 0)
            came = receive_slots(nl, 0, XT_NETLINK_BATCH);
        if (came < 0) {
            xt_problem_set(reterr_problem, "reading audit records failed: %s", strerror(-came));
            return xt_error_trace(came);
        }
        for (int i = 0; i < came; i++)
            n += slot_read_record(nl, (unsigned)i, &nl->messages[n]);
    }
    *ret_messages = nl->messages;
    *ret_n = n;
    return 0;
}

xt_netlink_counters xt_netlink_counters_get(const xt_netlink *nl)
{
    return nl->counters;
}

/* ---- asking ---- */

static int send_request(xt_netlink *nl, uint16_t type, uint16_t flags, xt_slice data)
{
    request r = {.header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++nl->seq}};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (data.n > sizeof r.data)
        return xt_error_origin(-E2BIG);
    if (data.n > 0)
        memcpy(r.data, data.p, data.n);
    r.header.nlmsg_len = (uint32_t)NLMSG_LENGTH(data.n);
    ssize_t n;
    do {
        n = sendto(nl->fd, &r, r.header.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof kernel);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* One message that came while an answer is awaited. True when the answer is complete, *ret_error is what it says. */
static bool take_answer(xt_netlink *nl, const answer *expected, unsigned at, int *ret_error)
{
    xt_netlink_message message;
    if (!slot_read(nl, at, &message))
        return false;
    if (!is_control(message.type)) {
        if (slot_read_record(nl, at, &nl->messages[at]))
            nl->n_kept++;
        return false;
    }
    if (nl->slots[at].header.nlmsg_seq != nl->seq)
        return false;
    *ret_error = 0;
    if (message.type == NLMSG_ERROR) {
        int error;
        if (message.payload.n < sizeof error)
            return false;
        memcpy(&error, message.payload.p, sizeof error);
        /* above 0 it is a value: what `lost` was before it was reset */
        *ret_error = error < 0 ? error : 0;
        return error < 0 || expected->until == NLMSG_ERROR;
    }
    if (message.type == expected->type && expected->take)
        expected->take(expected->context, message.payload);
    return message.type == expected->until;
}

/* Sends and waits. Not a problem yet: the caller knows what an errno means for its request. */
static int ask(xt_netlink *nl, uint16_t type, xt_slice data, const answer *expected)
{
    int r = send_request(nl, type, expected->until == NLMSG_ERROR ? NLM_F_ACK : 0, data);
    if (r < 0)
        return r;
    int64_t end_ms = xt_clock_mono_ms(&xt_clock_system) + ANSWER_TIMEOUT_MS;
    while (nl->n_kept < XT_NETLINK_BATCH) {
        int came = receive_slots(nl, nl->n_kept, 1);
        if (came < 0)
            return came;
        int error;
        if (came > 0 && take_answer(nl, expected, nl->n_kept, &error))
            return error;
        int64_t left_ms = end_ms - xt_clock_mono_ms(&xt_clock_system);
        if (left_ms <= 0)
            return xt_error_origin(-ETIMEDOUT);
        if (came == 0 && (r = wait_readable(nl, (int)left_ms)) < 0)
            return r;
    }
    return xt_error_origin(-ENOBUFS);
}

static void status_take(void *context, xt_slice payload)
{
    struct audit_status s = {0};
    memcpy(&s, payload.p, payload.n < sizeof s ? payload.n : sizeof s);
    *(xt_audit_status *)context = (xt_audit_status){
        .enabled = s.enabled,
        .failure = s.failure,
        .pid = s.pid,
        .rate_limit = s.rate_limit,
        .backlog_limit = s.backlog_limit,
        .lost = s.lost,
        .backlog = s.backlog,
        .features = s.feature_bitmap,
        .backlog_wait_time = s.backlog_wait_time,
        .backlog_wait_time_actual = s.backlog_wait_time_actual,
    };
}

static int status_ask(xt_netlink *nl, xt_audit_status *ret)
{
    answer expected = {AUDIT_GET, AUDIT_GET, status_take, ret};
    return ask(nl, AUDIT_GET, XT_S_NULL, &expected);
}

/* What an errno means, whatever was asked. */
static int outcome(xt_netlink *nl, int r, const char *what, xt_problem *problem)
{
    xt_audit_status status = {0};
    if (r == -EPERM || r == -EACCES) {
        if (status_ask(nl, &status) < 0 || status.enabled != 2)
            return outcome_denied(problem, what);
        xt_problem_set(problem, "the audit configuration is locked (enabled is 2): cannot %s", what);
        xt_problem_hint(problem, "only a reboot unlocks it; load the rules before auditctl -e 2 does");
        return XT_NETLINK_E_IMMUTABLE;
    }
    if (r == -ECONNREFUSED) /* not the first network or user namespace */
        return outcome_denied(problem, what);
    if (r == -EEXIST)
        return XT_NETLINK_E_EXISTS;
    if (r == -ENOENT)
        return XT_NETLINK_E_UNKNOWN;
    if (r < 0)
        xt_problem_set(problem, "the kernel refused to %s: %s", what, strerror(-r));
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_netlink_status_get(xt_netlink *nl, xt_audit_status *ret, xt_problem *reterr_problem)
{
    xt_audit_status status = {0};
    int r = outcome(nl, status_ask(nl, &status), "read the audit status", reterr_problem);
    if (r == 0)
        *ret = status;
    return r;
}

static int status_send(xt_netlink *nl, uint32_t mask, const xt_audit_status *status)
{
    struct audit_status s = {
        .mask = mask,
        .enabled = status->enabled,
        .failure = status->failure,
        .pid = status->pid,
        .rate_limit = status->rate_limit,
        .backlog_limit = status->backlog_limit,
        .backlog_wait_time = status->backlog_wait_time,
    };
    answer expected = {.until = NLMSG_ERROR};
    return ask(nl, AUDIT_SET, xt_slice_of(&s, sizeof s), &expected);
}

int xt_netlink_status_set(xt_netlink *nl, uint32_t mask, const xt_audit_status *status, xt_problem *reterr_problem)
{
    return outcome(nl, status_send(nl, mask, status), "change the audit status", reterr_problem);
}

static int outcome_owned(xt_netlink *nl, xt_problem *problem)
{
    xt_audit_status status = {0};
    (void)status_ask(nl, &status);
    xt_problem_set(problem, "process %u already receives the audit records", status.pid);
    xt_problem_hint(problem, "stop that process (auditd?), or feed this one from it as an audisp plugin");
    return XT_NETLINK_E_OWNED;
}

int xt_netlink_own(xt_netlink *nl, xt_problem *reterr_problem)
{
    int on = 1;
    xt_netlink_buffer_set(nl, RECEIVE_BUFFER_BYTES);
    (void)setsockopt(nl->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
    int r = status_send(nl, AUDIT_STATUS_PID, &(xt_audit_status){.pid = (uint32_t)getpid()});
    if (r == -EEXIST)
        return outcome_owned(nl, reterr_problem);
    return outcome(nl, r, "receive the audit records", reterr_problem);
}

int xt_netlink_own_again(xt_netlink *nl)
{
    const struct audit_status s = {.mask = AUDIT_STATUS_PID, .pid = (uint32_t)getpid()};
    return send_request(nl, AUDIT_SET, 0, xt_slice_of(&s, sizeof s));
}

int xt_netlink_disown(xt_netlink *nl, xt_problem *reterr_problem)
{
    xt_netlink *control = NULL;
    int r = xt_netlink_open(&control, reterr_problem);
    if (r != 0)
        return r;
    r = status_send(control, AUDIT_STATUS_PID, &(xt_audit_status){.pid = 0});
    if (r == -EACCES)
        r = outcome_owned(control, reterr_problem);
    else
        r = outcome(control, r, "give the audit records back", reterr_problem);
    (void)xt_netlink_close(control);
    return r;
}

/* ---- rules ---- */

typedef struct rule_reader {
    xt_netlink_rule_fn each;
    void *context;
} rule_reader;

static void rule_take(void *context, xt_slice payload)
{
    const rule_reader *reader = context;
    const struct audit_rule_data *rule = (const void *)payload.p;
    if (payload.n >= sizeof *rule && rule->buflen <= payload.n - sizeof *rule)
        reader->each(reader->context, rule, sizeof *rule + rule->buflen);
}

int xt_netlink_rules_list(xt_netlink *nl, xt_netlink_rule_fn each, void *context, xt_problem *reterr_problem)
{
    rule_reader reader = {each, context};
    answer expected = {AUDIT_LIST_RULES, NLMSG_DONE, rule_take, &reader};
    return outcome(nl, ask(nl, AUDIT_LIST_RULES, XT_S_NULL, &expected), "list the audit rules", reterr_problem);
}

static int rule_send(xt_netlink *nl, uint16_t type, const struct audit_rule_data *rule, size_t n_bytes)
{
    answer expected = {.until = NLMSG_ERROR};
    return ask(nl, type, xt_slice_of(rule, n_bytes), &expected);
}

int xt_netlink_rule_add(xt_netlink *nl, const struct audit_rule_data *rule, size_t n_bytes, xt_problem *reterr_problem)
{
    int r = outcome(nl, rule_send(nl, AUDIT_ADD_RULE, rule, n_bytes), "add an audit rule", reterr_problem);
    if (r == XT_NETLINK_E_EXISTS)
        xt_problem_set(reterr_problem, "the same audit rule is loaded already");
    return r;
}

int xt_netlink_rule_delete(xt_netlink *nl, const struct audit_rule_data *rule, size_t n_bytes,
                           xt_problem *reterr_problem)
{
    int r = outcome(nl, rule_send(nl, AUDIT_DEL_RULE, rule, n_bytes), "delete an audit rule", reterr_problem);
    if (r == XT_NETLINK_E_UNKNOWN)
        xt_problem_set(reterr_problem, "no such audit rule is loaded");
    return r;
}
