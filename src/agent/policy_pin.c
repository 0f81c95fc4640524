#include "agent/policy_pin.h"

#include <errno.h>
#include <stdio.h>

#include "agent/state_file.h"
#include "io/tls.h"
#include "io/tls_trust.h"
#include "io/vfs.h"

static bool name_of(xt_slice cert_pem, xt_hash128 *ret)
{
    uint8_t sha256[32];
    if (xt_tls_fingerprint(cert_pem, sha256) != 0)
        return false;
    memcpy(ret, sha256, sizeof *ret);
    return true;
}

static bool is_among(xt_slice bundle_pem, xt_hash128 name)
{
    xt_slice block;
    xt_hash128 one;
    while (xt_tls_pem_next(&bundle_pem, &block))
        if (name_of(block, &one) && xt_hash128_eq(one, name))
            return true;
    return false;
}

bool xt_policy_pin_is_retired(const xt_policy_pin *pin, xt_slice bundle_pem)
{
    for (size_t i = 0; i < pin->n_retired; i++)
        if (is_among(bundle_pem, pin->retired[i]))
            return true;
    return false;
}

bool xt_policy_pin_retire(xt_policy_pin *pin, xt_slice old_pem, xt_slice new_pem)
{
    bool found = false;
    xt_slice block;
    xt_hash128 name;
    while (xt_tls_pem_next(&old_pem, &block)) {
        if (!name_of(block, &name) || is_among(new_pem, name) || xt_policy_pin_is_retired(pin, block))
            continue;
        if (pin->n_retired == XT_PIN_RETIRED)
            memmove(pin->retired, pin->retired + 1, --pin->n_retired * sizeof *pin->retired);
        pin->retired[pin->n_retired++] = name;
        found = true;
    }
    return found;
}

void xt_policy_pin_read(const char *state, xt_policy_pin *ret)
{
    xt_state_file file;
    xt_hash128 id;
    *ret = (xt_policy_pin){.serial = 0};
    if (xt_state_file_read(state, XT_PIN_FILE, &file) < 0)
        return;
    if (xt_hash128_parse(xt_state_file_text(&file, "host_id"), &id))
        xt_hash128_format(id, ret->host_id);
    (void)!xt_hash128_parse(xt_state_file_text(&file, "token"), &ret->token);
    (void)!xt_hash128_parse(xt_state_file_text(&file, "order"), &ret->order);
    ret->serial = xt_state_file_number(&file, "serial");
    xt_slice rest = xt_state_file_text(&file, "retired"), one;
    while (rest.n > 0 && ret->n_retired < XT_PIN_RETIRED && xt_slice_cut(&rest, ',', &one))
        if (xt_hash128_parse(one, &ret->retired[ret->n_retired]))
            ret->n_retired++;
    xt_state_file_fini(&file);
}

static void put_hash(xt_buf *out, const char *before, xt_hash128 hash)
{
    char text[33];
    xt_hash128_format(hash, text);
    xt_buf_puts(out, before);
    xt_buf_puts(out, text);
}

int xt_policy_pin_write(const char *state, const xt_policy_pin *pin, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_buf_printf(&name, "%s/%s", state, XT_PIN_FILE);
    path[name.n] = '\0';
    xt_buf_printf(&text, "host_id=%s\nserial=%llu", pin->host_id, (unsigned long long)pin->serial);
    put_hash(&text, "\norder=", pin->order);
    put_hash(&text, "\ntoken=", pin->token);
    for (size_t i = 0; i < pin->n_retired; i++)
        put_hash(&text, i == 0 ? "\nretired=" : ",", pin->retired[i]);
    xt_buf_putc(&text, '\n');
    int r = xt_buf_done(&text);
    if (r == 0)
        r = xt_vfs_replace_file(&xt_vfs_system, path, xt_buf_slice(&text), 0600);
    if (r < 0) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "cannot be written: %s", strerror(-r));
    }
    return r;
}
