/*
 * How it works: each message is a list of its members in one order, written once as a table (X lists below) and expanded
 * twice, to put and to decode, so that the two cannot disagree. New members go to the end of a list behind a LATER: there
 * a message of a peer that does not know them yet may end.
 */
#include "wire/message.h"

/* clang-format off */
#define ENROLL(N, S, H, LATER) N(version) S(secret) S(csr_der) S(host_name) S(machine_id) S(os) LATER S(host_id)
#define ENROLLED(N, S, H, LATER) S(host_id) S(cert_pem) S(ca_pem)
#define HELLO(N, S, H, LATER) N(version) S(host_id) S(host_name) S(boot_id) S(agent_version) S(os) H(stream) N(dictionary) \
    S(audit_mode) S(completeness) LATER N(features) S(machine_id) N(clock_ms) N(trust)
#define WELCOME(N, S, H, LATER) N(version) N(number) H(hash) N(dictionary) N(window) LATER N(features) \
    LATER N(gather_ms)
#define RENEW(N, S, H, LATER) S(csr_der)
#define RENEWED(N, S, H, LATER) S(cert_pem)
#define TRUST(N, S, H, LATER) S(ca_pem) S(signature) S(signature2) N(renew) N(spread_ms)
#define POLICY(N, S, H, LATER) S(order) S(signature) S(ca_pem) S(vouch) S(vouch2)
#define POLICY_STATE(N, S, H, LATER) N(serial) N(outcome) N(paused_until_ms) S(sentence)
#define POLICY_ORDER(N, S, H, LATER) S(magic) S(host_id) N(serial) N(made_ms) S(name) N(version) S(text) N(pause_ms) S(who) S(why)
#define ACK(N, S, H, LATER) N(number) LATER N(gather_ms)
#define REFUSED(N, S, H, LATER) N(reason) N(retry_ms) S(sentence)
#define HEARTBEAT(N, S, H, LATER) N(time_ms) N(enabled) N(audit_pid) N(failure) N(lost) N(backlog) N(backlog_limit) \
    N(backlog_wait_time) N(backlog_wait_time_actual) N(lost_since_start) N(n_events) N(n_batches) N(spool_batches) \
    N(spool_bytes) N(spool_dropped_events) N(n_truncated) N(n_forged) N(n_unparsed) N(cpu_us) N(rss_bytes) \
    S(rules_hash) S(audit_mode) S(completeness) S(blind) LATER N(sent_ms) \
    LATER N(state) N(process) N(run) N(unbroken_ms) N(age_ms) N(settled_ms) N(n_unread) \
    LATER N(witness) N(n_exec_both) N(n_exec_unaudited) N(n_exec_unexplained) N(n_exec_unwitnessed) N(n_witness_gaps) \
    N(n_canary_sent) N(n_canary_lost) N(canary_ms) N(canary_took_ms) LATER N(n_unseen) N(unseen_ms) \
    LATER N(spool_max_bytes) N(n_unspooled) N(n_flood) N(canary_is_lost)
/* clang-format on */

#define PUT_NUMBER(member) xt_buf_put_varint(out, m->member);
#define PUT_SLICE(member)  xt_buf_put_block(out, m->member);
#define PUT_HASH(member)   xt_buf_put(out, xt_slice_of(m->member.b, sizeof m->member.b));

#define GET_NUMBER(member) m.member = xt_reader_varint(&reader);
#define GET_SLICE(member)  m.member = xt_reader_block(&reader);
#define GET_HASH(member)   get_hash(&reader, &m.member);
#define GET_LATER                     \
    if (xt_reader_left(&reader) == 0) \
        break;

static void get_hash(xt_reader *reader, xt_hash128 *ret)
{
    xt_slice bytes = xt_reader_bytes(reader, sizeof ret->b);
    if (bytes.n == sizeof ret->b)
        memcpy(ret->b, bytes.p, sizeof ret->b);
}

static int check(const xt_reader *reader, const char *name, xt_slice payload, xt_problem *reterr_problem)
{
    if (!reader->failed)
        return 0;
    xt_problem_set(reterr_problem, "a message %s of %zu bytes ends too early", name, payload.n);
    return XT_MESSAGE_E_CORRUPT;
}

#define MESSAGE(name, LIST)                                                              \
    void xt_##name##_put(xt_buf *out, const xt_##name *m)                                \
    {                                                                                    \
        LIST(PUT_NUMBER, PUT_SLICE, PUT_HASH, )                                          \
    }                                                                                    \
    int xt_##name##_decode(xt_slice payload, xt_##name *ret, xt_problem *reterr_problem) \
    {                                                                                    \
        xt_reader reader = xt_reader_of(payload);                                        \
        xt_##name m = {0};                                                               \
        do {                                                                             \
            LIST(GET_NUMBER, GET_SLICE, GET_HASH, GET_LATER)                             \
        } while (0);                                                                     \
        int r = check(&reader, #name, payload, reterr_problem);                          \
        if (r == 0)                                                                      \
            *ret = m;                                                                    \
        return r;                                                                        \
    }

MESSAGE(enroll, ENROLL)
MESSAGE(enrolled, ENROLLED)
MESSAGE(hello, HELLO)
MESSAGE(welcome, WELCOME)
MESSAGE(renew, RENEW)
MESSAGE(renewed, RENEWED)
MESSAGE(trust, TRUST)
MESSAGE(policy_message, POLICY)
MESSAGE(policy_state, POLICY_STATE)
MESSAGE(policy_order, POLICY_ORDER)
MESSAGE(ack, ACK)
MESSAGE(refused, REFUSED)
MESSAGE(heartbeat, HEARTBEAT)

/* ------------------------------------------------------------------------------------------------ changes */

/* Members are told of in groups of GROUP: a peer that knows fewer of them, or of the groups, stops where it knows no more. */
#define GROUP               32
#define COUNT(member)       +1
#define MARK(changed)       words[i / GROUP] |= (uint64_t)(changed) << (i % GROUP), i++;
#define MARK_NUMBER(member) MARK(m->member != before->member)
#define MARK_SLICE(member)  MARK(!xt_slice_eq(m->member, before->member))
#define PUT_NEXT            put_next(words, i++, out)
#define DIFF_NUMBER(member) PUT_NEXT ? xt_buf_put_zigzag(out, (int64_t)(m->member - before->member)) : (void)0;
#define DIFF_SLICE(member)  PUT_NEXT ? xt_buf_put_block(out, m->member) : (void)0;
#define TAKE_NEXT           take_next(&word, i++, &reader)
#define TAKE_NUMBER(member) m.member = before->member + (TAKE_NEXT ? (uint64_t)xt_reader_zigzag(&reader) : 0);
#define TAKE_SLICE(member)  m.member = TAKE_NEXT ? xt_reader_block(&reader) : before->member;

static bool put_next(const uint64_t *words, unsigned i, xt_buf *out)
{
    if (i % GROUP == 0)
        xt_buf_put_varint(out, words[i / GROUP]);
    return words[i / GROUP] >> (i % GROUP) & 1;
}

static bool take_next(uint64_t *word, unsigned i, xt_reader *reader)
{
    if (i % GROUP == 0)
        *word = xt_reader_left(reader) > 0 ? xt_reader_varint(reader) : 0;
    return *word >> (i % GROUP) & 1;
}

void xt_heartbeat_put_change(xt_buf *out, const xt_heartbeat *before, const xt_heartbeat *m)
{
    uint64_t words[(0 HEARTBEAT(COUNT, COUNT, COUNT, )) / GROUP + 1] = {0};
    unsigned i = 0;
    HEARTBEAT(MARK_NUMBER, MARK_SLICE, , )
    i = 0;
    HEARTBEAT(DIFF_NUMBER, DIFF_SLICE, , )
}

int xt_heartbeat_decode_change(xt_slice payload, const xt_heartbeat *before, xt_heartbeat *ret,
                               xt_problem *reterr_problem)
{
    xt_reader reader = xt_reader_of(payload);
    xt_heartbeat m = {0};
    uint64_t word = 0;
    unsigned i = 0;
    HEARTBEAT(TAKE_NUMBER, TAKE_SLICE, , )
    int r = check(&reader, "heartbeat", payload, reterr_problem);
    if (r == 0)
        *ret = m;
    return r;
}
