/*
 * exectrail secret: keys to seal secrets to, and opening what is sealed. The private key is read here and never leaves this
 * process; the server is asked for the box, and enters an event before it answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "cli/own_name.h"
#include "cli/seal_key.h"
#include "io/vfs.h"

#define MAX_KEY_FILE 4096

static int fail(const char *source, const char *sentence, const char *hint)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_source(&problem, source);
    xt_problem_set(&problem, "%s", sentence);
    xt_problem_hint(&problem, "%s", hint);
    return xt_cli_fail(&problem);
}

int xt_seal_key_read(const char *text, xt_secret_seal_key *ret, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf file = XT_BUF_INIT;
    xt_slice key = xt_slice_str(text);
    if (!xt_secret_seal_is_key(key)) {
        int r = xt_vfs_read_file(&xt_vfs_system, text, MAX_KEY_FILE, &file);
        if (r < 0) {
            xt_problem_source(reterr_problem, text);
            xt_problem_set(reterr_problem, "the public key cannot be read: %s", strerror(-r));
            return r;
        }
        key = xt_buf_slice(&file);
        xt_problem_source(reterr_problem, text);
    }
    int r = xt_secret_seal_key_parse(key, ret, reterr_problem);
    return r > 0 ? -EINVAL : r;
}

/* A new file of this user alone; one that is there is left as it is. */
static int write_key(const char *path, xt_slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = xt_vfs_write_all(&xt_vfs_system, fd, text.p, text.n, 0);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r < 0)
        (void)unlink(path);
    return r;
}

int xt_cmd_secret_keygen(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT, shown = XT_BUF_INIT;
    const char *path = xt_opt_get(args, "out");
    xt_hpke_key own;
    xt_secret_seal_key key;
    int r = xt_hpke_key_make(&own);
    if (r == 0)
        r = xt_secret_seal_key_of(&own, &key);
    if (r == 0) {
        xt_secret_seal_private_format(&own, &text);
        xt_buf_putc(&text, '\n');
        xt_secret_seal_key_format(&key, &shown);
        r = xt_buf_done(&text);
    }
    if (r == 0)
        r = write_key(path, xt_buf_slice(&text));
    if (r < 0)
        return fail(path, strerror(-r), r == -EEXIST ? "a key that may still open something is not written over" : "");
    fprintf(stderr, "keep %s offline: whoever has it reads what is sealed to key %s. For --seal-to:\n", path, key.id);
    printf("%.*s\n", XT_S_ARGS(xt_buf_slice(&shown)));
    return 0;
}

static int read_private(const char *path, xt_hpke_key *ret)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & 077)
        return fail(path, "others may read this private key", "chmod 600 it, and mind who has read it");
    int r = xt_vfs_read_file(&xt_vfs_system, path, MAX_KEY_FILE, &text);
    if (r < 0)
        return fail(path, strerror(-r), "--key names the file that `exectrail secret keygen` made");
    xt_problem_source(&problem, path);
    return xt_secret_seal_private_parse(xt_buf_slice(&text), ret, &problem) == 0 ? 0 : xt_cli_fail(&problem);
}

static xt_slice member(const json_t *document, const char *name)
{
    return xt_slice_str(json_string_value(json_object_get(document, name)));
}

/* What it was bound to when it was sealed names the event, not what the server says now. */
static int open_box(const xt_hpke_key *own, const json_t *d, const char *id)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bound = XT_BUF_INIT, opened = XT_BUF_INIT, line = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_reader entries;
    xt_slice first = XT_S_NULL, where, value;
    xt_problem_source(&problem, id);
    if (!xt_base64_get(&bound, member(d, "bound")))
        return fail(id, "the server's answer cannot be read", "is it of another version?");
    xt_list_iter iter = xt_list_iterate(xt_buf_slice(&bound));
    int r = xt_secret_unseal(own, member(d, "sealed"), xt_buf_slice(&bound), &opened, &entries, &problem);
    if (r != 0)
        return xt_cli_fail(&problem);
    if (!xt_list_next(&iter, &first) || !xt_slice_eq_nocase(first, xt_slice_str(id)))
        return fail(id, "the server answered with what another event's secrets are sealed in", "do not trust it");
    while (xt_secret_unsealed_next(&entries, xt_buf_slice(&bound), &where, &value)) {
        xt_text_visible(&line, where);
        xt_buf_putc(&line, '\t');
        xt_text_visible(&line, value);
        xt_buf_putc(&line, '\n');
    }
    return xt_buf_done(&line) == 0 && fwrite(line.p, 1, line.n, stdout) == line.n ? 0 : 1;
}

int xt_cmd_secret_unseal(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_hpke_key own;
    int status = read_private(xt_opt_get(args, "key"), &own);
    if (status != 0)
        return status;
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/events");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, "unseal");
    xt_call_param(&call, "reason", xt_opt_get(args, "reason"));
    xt_call_param(&call, "by", xt_opt_get(args, "server") ? NULL : xt_cli_own_name());
    status = xt_call_fetch(args, &call, &answer);
    if (status != 0)
        return status;
    json_t *d = json_loadb(answer.p ? answer.p : "", answer.n, 0, NULL);
    status = open_box(&own, d, args->operands[0]);
    json_decref(d);
    return status;
}
