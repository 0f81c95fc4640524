#include "agent/identity.h"

#include <errno.h>

#include "io/tls.h"
#include "io/vfs.h"

#define MAX_PEM_BYTES 65536

static int failed(int r, const char *name, const char *doing, xt_problem *reterr_problem)
{
    xt_problem_source(reterr_problem, name);
    xt_problem_set(reterr_problem, "cannot be %s: %s", doing, strerror(-r));
    xt_problem_hint(reterr_problem, "check the state folder, its owner and its free space");
    return xt_error_trace(r);
}

static int read_one(const char *name, xt_buf *out, xt_problem *reterr_problem)
{
    xt_buf_reset(out);
    int r = xt_vfs_read_file(&xt_vfs_system, name, MAX_PEM_BYTES, out);
    if (r == -ENOENT)
        return XT_IDENTITY_E_NONE;
    return r < 0 ? failed(r, name, "read", reterr_problem) : 0;
}

static int write_one(const char *name, xt_slice content, mode_t mode, xt_problem *reterr_problem)
{
    int r = xt_vfs_replace_file(&xt_vfs_system, name, content, mode);
    return r < 0 ? failed(r, name, "written", reterr_problem) : 0;
}

static bool set_host_id(xt_identity *identity, xt_slice text)
{
    xt_hash128 id;
    text = xt_slice_trim(text);
    if (!xt_hash128_parse(text, &id))
        return false;
    xt_hash128_format(id, identity->host_id);
    return true;
}

int xt_identity_read(xt_identity *identity, xt_problem *reterr_problem)
{
    xt_buf id = XT_BUF_INIT;
    int r = read_one("cert.pem", &identity->cert, reterr_problem);
    if (r == 0)
        r = read_one("key.pem", &identity->key, reterr_problem);
    if (r == 0)
        r = read_one("ca.pem", &identity->ca, reterr_problem);
    if (r == 0)
        r = read_one("host-id", &id, reterr_problem);
    if (r == 0 && !set_host_id(identity, xt_buf_slice(&id)))
        r = XT_IDENTITY_E_NONE;
    xt_buf_fini(&id);
    return r;
}

int xt_identity_request(xt_identity *identity, xt_slice host_name, xt_buf *ret_csr_der, xt_problem *reterr_problem)
{
    int r = read_one("key.pem", &identity->key, reterr_problem);
    if (r == XT_IDENTITY_E_NONE) {
        r = xt_tls_key_make(&identity->key);
        if (r == 0)
            r = write_one("key.pem", xt_buf_slice(&identity->key), 0600, reterr_problem);
    }
    if (r == 0)
        r = xt_tls_csr_make(xt_buf_slice(&identity->key), xt_slice_head(host_name, 64), ret_csr_der);
    return r;
}

int xt_identity_accept(xt_identity *identity, const xt_enrolled *enrolled, const uint8_t ca_sha256[static 32],
                       xt_problem *reterr_problem)
{
    uint8_t fingerprint[32];
    if (xt_tls_fingerprint(enrolled->ca_pem, fingerprint) < 0 || memcmp(fingerprint, ca_sha256, 32) != 0 ||
        !set_host_id(identity, enrolled->host_id)) {
        xt_problem_set(reterr_problem, "the server's answer to the enrolment does not fit the token");
        return xt_error_origin(-EBADMSG);
    }
    xt_buf_reset(&identity->cert);
    xt_buf_reset(&identity->ca);
    xt_buf_put(&identity->cert, enrolled->cert_pem);
    xt_buf_put(&identity->ca, enrolled->ca_pem);
    int r = write_one("ca.pem", enrolled->ca_pem, 0644, reterr_problem);
    if (r == 0)
        r = write_one("host-id", xt_slice_str(identity->host_id), 0644, reterr_problem);
    if (r == 0)
        r = write_one("cert.pem", enrolled->cert_pem, 0644, reterr_problem);
    return r;
}

void xt_identity_fini(xt_identity *identity)
{
    xt_buf_fini(&identity->key);
    xt_buf_fini(&identity->cert);
    xt_buf_fini(&identity->ca);
}
