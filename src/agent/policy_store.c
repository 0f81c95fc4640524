#include "agent/policy_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "io/tls.h"
#include "io/tls_trust.h"
#include "io/vfs.h"
#include "wire/token.h"

#define TRUST_FILE  "policy-ca.pem"
#define ORDER_FILE  "policy"
#define SHIPPERS_CA "shipper/ca.pem"
#define MAX_BYTES   262144

static const char *path_of(const xt_policy_store *store, const char *name, char ret[static 4096])
{
    xt_buf out = {.p = ret, .cap = 4096, .max_bytes = 4095};
    xt_buf_printf(&out, "%s/%s", store->state, name);
    ret[out.n] = '\0';
    return ret;
}

static int write_file(const xt_policy_store *store, const char *name, xt_slice content, xt_problem *reterr_problem)
{
    char path[4096];
    int r = xt_vfs_replace_file(&xt_vfs_system, path_of(store, name, path), content, 0600);
    if (r < 0) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "the policy cannot be kept, so it is not applied: %s", strerror(-r));
    }
    return r;
}

/* With how much of its pause is left, as far as anybody knows (policy_store.h). */
static int write_order(const xt_policy_store *store, xt_slice order, xt_slice signature, int64_t end_ms,
                       const xt_policy_time *now, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf file = XT_BUF_INIT;
    int64_t left_ms = end_ms > now->up_ms ? end_ms - now->up_ms : 0;
    xt_buf_put_block(&file, order);
    xt_buf_put_block(&file, signature);
    xt_buf_put_varint(&file, left_ms ? (uint64_t)(now->wall_ms + left_ms) : 0);
    xt_buf_put_block(&file, xt_slice_str(now->boot_id));
    xt_buf_put_varint(&file, (uint64_t)end_ms);
    xt_buf_put_varint(&file, (uint64_t)left_ms);
    int r = xt_buf_done(&file);
    return r == 0 ? write_file(store, ORDER_FILE, xt_buf_slice(&file), reterr_problem) : xt_error_trace(r);
}

/* A file in a folder of the shipper's: a plain one, and no link to another. */
static int read_shippers(const xt_policy_store *store, xt_buf *out)
{
    char path[4096], bytes[16384];
    struct stat st;
    int fd = open(path_of(store, SHIPPERS_CA, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, bytes, sizeof bytes) : -1;
    close(fd);
    if (n > 0)
        xt_buf_put(out, xt_slice_of(bytes, (size_t)n));
    return n > 0 ? xt_buf_done(out) : -EBADMSG;
}

/* The one certificate that the token pins. */
static bool find_pinned(xt_slice bundle, const char *token, xt_slice *ret)
{
    xt_token t;
    uint8_t digest[32];
    xt_slice block;
    if (!token || xt_token_parse(xt_slice_str(token), &t, NULL) != 0)
        return false;
    while (xt_tls_pem_next(&bundle, &block))
        if (xt_tls_fingerprint(block, digest) == 0 && memcmp(digest, t.ca_sha256, sizeof digest) == 0) {
            *ret = block;
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------------------------------------- who is believed */

/* The CAs of the file, without those that were given up: a kill may have come between the two files. */
static void read_trusted(xt_policy_store *store)
{
    XT_CLEANUP(xt_buf_fini) xt_buf file = XT_BUF_INIT;
    char path[4096];
    xt_slice block;
    if (xt_vfs_read_file(&xt_vfs_system, path_of(store, TRUST_FILE, path), MAX_BYTES, &file) < 0 ||
        !xt_tls_bundle_is_good(xt_buf_slice(&file)))
        return;
    if (!xt_policy_pin_is_retired(&store->pin, xt_buf_slice(&file))) {
        xt_buf_put(&store->trusted, xt_buf_slice(&file));
        return;
    }
    for (xt_slice rest = xt_buf_slice(&file); xt_tls_pem_next(&rest, &block);)
        if (!xt_policy_pin_is_retired(&store->pin, block)) {
            xt_buf_put(&store->trusted, block);
            xt_buf_putc(&store->trusted, '\n');
        }
}

/*
 * Whom to believe. A token on the command line is root's word: what it pins is trusted. Without one, the first start of an
 * agent that was enrolled before there were policies takes what the shipper trusts.
 */
static void open_trust(xt_policy_store *store, const char *token)
{
    XT_CLEANUP(xt_buf_fini) xt_buf theirs = XT_BUF_INIT;
    xt_slice pinned;
    xt_problem problem = XT_PROBLEM_INIT;
    if (read_shippers(store, &theirs) < 0 || !xt_tls_bundle_is_good(xt_buf_slice(&theirs)))
        return;
    if (!find_pinned(xt_buf_slice(&theirs), token, &pinned)) {
        if (store->trusted.n > 0 || token || store->pin.host_id[0])
            return;
        pinned = xt_buf_slice(&theirs);
    } else if (xt_slice_find(xt_buf_slice(&store->trusted), pinned) >= 0 ||
               xt_policy_pin_is_retired(&store->pin, pinned)) {
        return; /* a token may stay in the settings for longer than its CA lasts */
    }
    xt_buf_reset(&store->trusted);
    xt_buf_put(&store->trusted, pinned);
    store->pin.serial = 0; /* another server's numbers */
    if (write_file(store, TRUST_FILE, xt_buf_slice(&store->trusted), &problem) < 0)
        xt_log_problem(XT_LOG_WARN, &problem);
}

/* A host is who it was, unless root enrols it with another token. */
static void bind_host(xt_policy_store *store, const char *token, const char *host_id)
{
    xt_policy_pin *pin = &store->pin;
    xt_hash128 hash = token ? xt_slice_hash128(xt_slice_str(token)) : pin->token;
    bool is_other = strcmp(pin->host_id, host_id) != 0;
    store->is_other_host = is_other && pin->host_id[0] && xt_hash128_eq(hash, pin->token);
    if (is_other && !store->is_other_host) {
        xt_buf id = XT_BUF_ON(pin->host_id);
        xt_buf_puts(&id, host_id);
        pin->host_id[id.n] = '\0';
        pin->serial = 0;
    }
    pin->token = hash;
}

static void open_pin(xt_policy_store *store, const char *token, const char *host_id)
{
    const xt_policy_pin was = store->pin;
    xt_problem problem = XT_PROBLEM_INIT;
    open_trust(store, token);
    bind_host(store, token, host_id);
    bool is_same = strcmp(was.host_id, store->pin.host_id) == 0 && was.serial == store->pin.serial &&
                   xt_hash128_eq(was.token, store->pin.token);
    if (!is_same && xt_policy_pin_write(store->state, &store->pin, &problem) < 0)
        xt_log_problem(XT_LOG_WARN, &problem);
}

/* ------------------------------------------------------------------------------------------------------- pauses */

int64_t xt_policy_pause_left_ms(const xt_policy_order *order, int64_t wall_ms)
{
    uint64_t now_ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
    if (now_ms <= order->made_ms)
        return (int64_t)order->pause_ms;
    uint64_t passed_ms = now_ms - order->made_ms;
    return passed_ms < order->pause_ms ? (int64_t)(order->pause_ms - passed_ms) : 0;
}

int64_t xt_policy_store_left_ms(const xt_policy_store *store, const xt_policy_time *now)
{
    return store->pause_end_ms > now->up_ms ? store->pause_end_ms - now->up_ms : 0;
}

/* What is left of the pause at a start: in the same boot by the clock that nobody sets, else by both. */
static int64_t left_at_start(const xt_policy_store *store, xt_reader *reader, const xt_policy_time *now)
{
    uint64_t until_ms = xt_reader_varint(reader);
    xt_slice boot_id = xt_reader_block(reader);
    int64_t end_ms = (int64_t)xt_reader_varint(reader), saved_ms = (int64_t)xt_reader_varint(reader);
    int64_t left_ms = xt_policy_pause_left_ms(&store->order, now->wall_ms);
    if (until_ms == 0)
        return 0;
    if (reader->failed) /* an older agent's file */
        return left_ms;
    if (xt_slice_eq(boot_id, xt_slice_str(now->boot_id)))
        left_ms = end_ms - now->up_ms;
    if (left_ms > saved_ms)
        left_ms = saved_ms;
    return left_ms > 0 ? left_ms : 0;
}

/* ------------------------------------------------------------------------------------------------------- orders */

static bool is_pinned(const xt_policy_store *store, const xt_policy_order *order, xt_slice bytes)
{
    return store->pin.serial == order->serial && xt_hash128_eq(store->pin.order, xt_slice_hash128(bytes));
}

/* The order of the file: signed by a CA of now, or the very one that was taken when its CA was one. */
static int check_order(xt_policy_store *store, xt_problem *problem)
{
    xt_slice bytes = xt_buf_slice(&store->bytes);
    xt_policy_order order;
    if (xt_policy_order_decode(bytes, &order, NULL) != 0)
        return XT_ORDER_E_REFUSED;
    if (store->host_id[0] && is_pinned(store, &order, bytes) &&
        xt_slice_eq(order.host_id, xt_slice_str(store->host_id))) {
        store->order = order;
        return 0;
    }
    return xt_policy_order_check(bytes, xt_buf_slice(&store->signature), xt_buf_slice(&store->trusted),
                                 store->host_id[0] ? xt_slice_str(store->host_id) : order.host_id, 0, &store->order,
                                 problem);
}

static void open_order(xt_policy_store *store, const xt_policy_time *now)
{
    XT_CLEANUP(xt_buf_fini) xt_buf file = XT_BUF_INIT;
    char path[4096];
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_vfs_read_file(&xt_vfs_system, path_of(store, ORDER_FILE, path), MAX_BYTES, &file) < 0)
        return;
    xt_reader reader = xt_reader_of(xt_buf_slice(&file));
    xt_buf_put(&store->bytes, xt_reader_block(&reader));
    xt_buf_put(&store->signature, xt_reader_block(&reader));
    if (reader.failed || check_order(store, &problem) != 0) {
        xt_log(XT_LOG_WARN, "%s is of no use, and is not applied: %s", path,
               xt_problem_is_set(&problem) ? problem.sentence : "it does not hold together");
        xt_buf_reset(&store->bytes);
        xt_buf_reset(&store->signature);
        return;
    }
    int64_t left_ms = left_at_start(store, &reader, now);
    store->pause_end_ms = left_ms ? now->up_ms + left_ms : 0;
}

void xt_policy_store_open(xt_policy_store *store, const char *state, const char *token, const char *host_id,
                          const xt_policy_time *now)
{
    *store = (xt_policy_store){.state = state};
    xt_policy_pin_read(state, &store->pin);
    read_trusted(store);
    if (host_id)
        open_pin(store, token, host_id);
    xt_buf id = XT_BUF_ON(store->host_id);
    xt_buf_puts(&id, store->pin.host_id);
    open_order(store, now);
}

void xt_policy_store_close(xt_policy_store *store)
{
    xt_buf_fini(&store->trusted);
    xt_buf_fini(&store->bytes);
    xt_buf_fini(&store->signature);
}

/*
 * 0: others are trusted from now on; XT_POLICY_STORE_SAME: those that were. Both CAs signed the list that held both, so that one would bring
 * the old one back: what was given up stays so, and is written down first.
 */
static int follow(xt_policy_store *store, const xt_trust *trust, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf next = XT_BUF_INIT;
    if (!xt_policy_trust_follow(trust, xt_buf_slice(&store->trusted), &next))
        return XT_POLICY_STORE_SAME;
    if (xt_policy_pin_is_retired(&store->pin, xt_buf_slice(&next))) {
        xt_problem_set(reterr_problem, "a list of CAs came that holds one which was given up");
        return XT_ORDER_E_REFUSED;
    }
    int r = xt_policy_pin_retire(&store->pin, xt_buf_slice(&store->trusted), xt_buf_slice(&next))
                ? xt_policy_pin_write(store->state, &store->pin, reterr_problem)
                : 0;
    if (r < 0)
        return r;
    r = write_file(store, TRUST_FILE, xt_buf_slice(&next), reterr_problem);
    if (r < 0)
        return r;
    xt_buf_reset(&store->trusted);
    xt_buf_put(&store->trusted, xt_buf_slice(&next));
    return xt_buf_done(&store->trusted);
}

int xt_policy_store_trust(xt_policy_store *store, xt_slice payload, xt_problem *reterr_problem)
{
    xt_trust trust;
    if (payload.n > XT_POLICY_TRUST_BYTES || xt_trust_decode(payload, &trust, reterr_problem) != 0) {
        xt_problem_set(reterr_problem, "what came as a list of CAs is none");
        return XT_ORDER_E_REFUSED;
    }
    int r = follow(store, &trust, reterr_problem);
    if (r != XT_POLICY_STORE_SAME || xt_slice_eq(trust.ca_pem, xt_buf_slice(&store->trusted)))
        return r;
    xt_problem_set(reterr_problem, "CAs are named that no CA trusted here vouches for");
    return XT_ORDER_E_REFUSED;
}

/* The same order, signed anew: by the CA that has taken the place of the one that signed it before. */
static int sign_anew(xt_policy_store *store, xt_slice signature, const xt_policy_time *now, xt_problem *reterr_problem)
{
    if (xt_slice_eq(signature, xt_buf_slice(&store->signature)))
        return XT_POLICY_STORE_SAME;
    int r = write_order(store, xt_buf_slice(&store->bytes), signature, store->pause_end_ms, now, reterr_problem);
    if (r < 0)
        return r;
    xt_buf_reset(&store->signature);
    xt_buf_put(&store->signature, signature);
    r = xt_buf_done(&store->signature);
    return r < 0 ? r : XT_POLICY_STORE_SAME;
}

static int refuse(xt_problem *problem, const char *sentence)
{
    xt_problem_set(problem, "%s", sentence);
    return XT_ORDER_E_REFUSED;
}

/* An order with the number of the last one that was taken: the same again, or nothing. */
static int take_same(xt_policy_store *store, const xt_policy_message *m, const xt_policy_order *order,
                     const xt_policy_time *now, xt_problem *reterr_problem)
{
    static const char another[] = "another policy came with the number of the one in force";
    if (!xt_policy_store_has_order(store) || store->order.serial != order->serial)
        return is_pinned(store, order, m->order) ? 0 : refuse(reterr_problem, another);
    return xt_slice_eq(m->order, xt_buf_slice(&store->bytes)) ? sign_anew(store, m->signature, now, reterr_problem)
                                                              : refuse(reterr_problem, another);
}

int xt_policy_store_take(xt_policy_store *store, xt_slice payload, const xt_policy_time *now,
                         xt_policy_message *ret_message, xt_policy_order *ret, xt_problem *reterr_problem)
{
    xt_policy_message m;
    xt_policy_order order;
    if (xt_policy_message_decode(payload, &m, reterr_problem) != 0)
        return XT_ORDER_E_REFUSED;
    const xt_trust trust = {.ca_pem = m.ca_pem, .signature = m.vouch, .signature2 = m.vouch2};
    int f = follow(store, &trust, reterr_problem);
    if (f < 0)
        return f;
    uint64_t last = xt_policy_store_has_order(store) ? store->order.serial : 0;
    if (last < store->pin.serial)
        last = store->pin.serial;
    int r = xt_policy_order_check(m.order, m.signature, xt_buf_slice(&store->trusted), xt_slice_str(store->host_id),
                                  last, &order, reterr_problem);
    if (r == XT_ORDER_E_OLD)
        xt_problem_set(reterr_problem, "the policy is older than the last one that was taken here");
    if (r == 0 && order.serial == last)
        r = take_same(store, &m, &order, now, reterr_problem);
    if (r != 0)
        return r;
    *ret_message = m;
    *ret = order;
    return 0;
}

int xt_policy_store_keep(xt_policy_store *store, const xt_policy_message *message, const xt_policy_time *now,
                         xt_problem *reterr_problem)
{
    xt_policy_order order;
    xt_policy_pin pin = store->pin;
    if (xt_policy_order_decode(message->order, &order, reterr_problem) != 0)
        return xt_error_origin(-EBADMSG);
    int64_t left_ms = xt_policy_pause_left_ms(&order, now->wall_ms), end_ms = left_ms ? now->up_ms + left_ms : 0;
    pin.serial = order.serial;
    pin.order = xt_slice_hash128(message->order);
    int r = xt_policy_pin_write(store->state, &pin, reterr_problem);
    if (r == 0)
        r = write_order(store, message->order, message->signature, end_ms, now, reterr_problem);
    if (r < 0)
        return r;
    store->pin = pin;
    xt_buf_reset(&store->bytes);
    xt_buf_reset(&store->signature);
    xt_buf_put(&store->bytes, message->order);
    xt_buf_put(&store->signature, message->signature);
    r = xt_buf_done(&store->bytes) < 0 || xt_buf_done(&store->signature) < 0 ? -ENOMEM : 0;
    if (r == 0)
        r = xt_policy_order_decode(xt_buf_slice(&store->bytes), &store->order, NULL) == 0 ? 0 : -EBADMSG;
    store->pause_end_ms = end_ms;
    return xt_error_trace(r);
}

static void rewrite(xt_policy_store *store, const xt_policy_time *now)
{
    xt_problem problem = XT_PROBLEM_INIT;
    if (write_order(store, xt_buf_slice(&store->bytes), xt_buf_slice(&store->signature), store->pause_end_ms, now,
                    &problem) < 0)
        xt_log_problem(XT_LOG_WARN, &problem);
}

void xt_policy_store_note(xt_policy_store *store, const xt_policy_time *now)
{
    if (store->pause_end_ms)
        rewrite(store, now);
}

void xt_policy_store_unpause(xt_policy_store *store, const xt_policy_time *now)
{
    store->pause_end_ms = 0;
    rewrite(store, now);
}
