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

static int write_order(const xt_policy_store *store, xt_slice order, xt_slice signature, int64_t until_ms,
                       xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf file = XT_BUF_INIT;
    xt_buf_put_block(&file, order);
    xt_buf_put_block(&file, signature);
    xt_buf_put_varint(&file, (uint64_t)until_ms);
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

/*
 * Whom to believe. A token on the command line is root's word: what it pins is trusted. Without one, the first start of an
 * agent that was enrolled before there were policies takes what the shipper trusts.
 */
static void open_trust(xt_policy_store *store, const char *token)
{
    XT_CLEANUP(xt_buf_fini) xt_buf theirs = XT_BUF_INIT;
    char path[4096];
    xt_slice pinned;
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_vfs_read_file(&xt_vfs_system, path_of(store, TRUST_FILE, path), MAX_BYTES, &store->trusted) < 0 ||
        !xt_tls_bundle_is_good(xt_buf_slice(&store->trusted)))
        xt_buf_reset(&store->trusted);
    if (read_shippers(store, &theirs) < 0 || !xt_tls_bundle_is_good(xt_buf_slice(&theirs)))
        return;
    if (!find_pinned(xt_buf_slice(&theirs), token, &pinned)) {
        if (store->trusted.n > 0 || token)
            return;
        pinned = xt_buf_slice(&theirs);
    } else if (xt_slice_find(xt_buf_slice(&store->trusted), pinned) >= 0) {
        return;
    }
    xt_buf_reset(&store->trusted);
    xt_buf_put(&store->trusted, pinned);
    if (write_file(store, TRUST_FILE, xt_buf_slice(&store->trusted), &problem) < 0)
        xt_log_problem(XT_LOG_WARN, &problem);
}

static void open_order(xt_policy_store *store, int64_t now_ms)
{
    XT_CLEANUP(xt_buf_fini) xt_buf file = XT_BUF_INIT;
    char path[4096];
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_vfs_read_file(&xt_vfs_system, path_of(store, ORDER_FILE, path), MAX_BYTES, &file) < 0)
        return;
    xt_reader reader = xt_reader_of(xt_buf_slice(&file));
    xt_buf_put(&store->bytes, xt_reader_block(&reader));
    xt_buf_put(&store->signature, xt_reader_block(&reader));
    uint64_t until_ms = xt_reader_varint(&reader);
    xt_policy_order any;
    xt_slice host_id = xt_slice_str(store->host_id);
    if (host_id.n == 0 && xt_policy_order_decode(xt_buf_slice(&store->bytes), &any, NULL) == 0)
        host_id = any.host_id;
    int r = reader.failed ? XT_ORDER_E_REFUSED
                          : xt_policy_order_check(xt_buf_slice(&store->bytes), xt_buf_slice(&store->signature),
                                                  xt_buf_slice(&store->trusted), host_id, 0, &store->order, &problem);
    if (r != 0) {
        xt_log(XT_LOG_WARN, "%s is of no use, and is not applied: %s", path,
               xt_problem_is_set(&problem) ? problem.sentence : "it does not hold together");
        xt_buf_reset(&store->bytes);
        xt_buf_reset(&store->signature);
        return;
    }
    /* a clock that was set back does not make a pause longer than it can be */
    if ((int64_t)until_ms > now_ms && (int64_t)until_ms - now_ms <= (int64_t)store->order.pause_ms)
        store->pause_until_ms = (int64_t)until_ms;
}

void xt_policy_store_open(xt_policy_store *store, const char *state, const char *token, const char *host_id,
                          int64_t now_ms)
{
    *store = (xt_policy_store){.state = state};
    xt_buf id = XT_BUF_ON(store->host_id);
    xt_buf_puts(&id, host_id ? host_id : "");
    open_trust(store, token);
    open_order(store, now_ms);
}

void xt_policy_store_close(xt_policy_store *store)
{
    xt_buf_fini(&store->trusted);
    xt_buf_fini(&store->bytes);
    xt_buf_fini(&store->signature);
}

/* 0: others are trusted from now on; XT_POLICY_STORE_SAME: those that were. */
static int follow(xt_policy_store *store, const xt_trust *trust, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf next = XT_BUF_INIT;
    if (!xt_policy_trust_follow(trust, xt_buf_slice(&store->trusted), &next))
        return XT_POLICY_STORE_SAME;
    int r = write_file(store, TRUST_FILE, xt_buf_slice(&next), reterr_problem);
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
static int sign_anew(xt_policy_store *store, xt_slice signature, xt_problem *reterr_problem)
{
    if (xt_slice_eq(signature, xt_buf_slice(&store->signature)))
        return XT_POLICY_STORE_SAME;
    int r = write_order(store, xt_buf_slice(&store->bytes), signature, store->pause_until_ms, reterr_problem);
    if (r < 0)
        return r;
    xt_buf_reset(&store->signature);
    xt_buf_put(&store->signature, signature);
    r = xt_buf_done(&store->signature);
    return r < 0 ? r : XT_POLICY_STORE_SAME;
}

int xt_policy_store_take(xt_policy_store *store, xt_slice payload, xt_policy_message *ret_message, xt_policy_order *ret,
                         xt_problem *reterr_problem)
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
    int r = xt_policy_order_check(m.order, m.signature, xt_buf_slice(&store->trusted), xt_slice_str(store->host_id),
                                  last, &order, reterr_problem);
    if (r != 0)
        return r;
    if (last > 0 && order.serial == last) {
        if (xt_slice_eq(m.order, xt_buf_slice(&store->bytes)))
            return sign_anew(store, m.signature, reterr_problem);
        xt_problem_set(reterr_problem, "another policy came with the number of the one in force");
        return XT_ORDER_E_REFUSED;
    }
    *ret_message = m;
    *ret = order;
    return 0;
}

int xt_policy_store_keep(xt_policy_store *store, const xt_policy_message *message, int64_t now_ms,
                         xt_problem *reterr_problem)
{
    xt_policy_order order;
    if (xt_policy_order_decode(message->order, &order, reterr_problem) != 0)
        return xt_error_origin(-EBADMSG);
    int64_t until_ms = order.pause_ms ? now_ms + (int64_t)order.pause_ms : 0;
    int r = write_order(store, message->order, message->signature, until_ms, reterr_problem);
    if (r < 0)
        return r;
    xt_buf_reset(&store->bytes);
    xt_buf_reset(&store->signature);
    xt_buf_put(&store->bytes, message->order);
    xt_buf_put(&store->signature, message->signature);
    r = xt_buf_done(&store->bytes) < 0 || xt_buf_done(&store->signature) < 0 ? -ENOMEM : 0;
    if (r == 0)
        r = xt_policy_order_decode(xt_buf_slice(&store->bytes), &store->order, NULL) == 0 ? 0 : -EBADMSG;
    store->pause_until_ms = until_ms;
    return xt_error_trace(r);
}

void xt_policy_store_unpause(xt_policy_store *store)
{
    xt_problem problem = XT_PROBLEM_INIT;
    store->pause_until_ms = 0;
    if (write_order(store, xt_buf_slice(&store->bytes), xt_buf_slice(&store->signature), 0, &problem) < 0)
        xt_log_problem(XT_LOG_WARN, &problem);
}
