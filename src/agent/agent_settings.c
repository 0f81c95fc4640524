/* How it works: the file is cut in place into names and values, which are then asked for like options. */
#include "agent/agent_settings.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/host_context.h"
#include "audit/policy.h"
#include "io/vfs.h"

#define MAX_FILE_BYTES    65536
#define DEFAULT_SPOOL_MIB 256
#define MAX_FILE_LINES    64

typedef struct file_line {
    char *name, *value;
} file_line;

typedef struct settings_source {
    const xt_opt_args *args;
    file_line lines[MAX_FILE_LINES];
    size_t n_lines;
} settings_source;

static const char *find_line(const settings_source *source, const char *name)
{
    for (size_t i = 0; i < source->n_lines; i++)
        if (strcmp(source->lines[i].name, name) == 0)
            return source->lines[i].value;
    return NULL;
}

static const char *find(const settings_source *source, const char *name)
{
    if (xt_opt_has(source->args, name))
        return xt_opt_get(source->args, name);
    const char *line = find_line(source, name);
    return line ? line : xt_opt_get(source->args, name);
}

static bool is_option(const settings_source *source, const char *name)
{
    /* the file is of the command without a name, whoever reads it */
    for (const xt_opt *o = source->args->program->commands->options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return strcmp(name, "config") != 0;
    return false;
}

static char *trimmed(char *from, char *to)
{
    while (from < to && strchr(" \t\r", *from))
        from++;
    while (to > from && strchr(" \t\r", to[-1]))
        to--;
    *to = '\0';
    return from;
}

static int line_bad(xt_problem *problem, const char *path, size_t line, const char *sentence, const char *text)
{
    xt_problem_source(problem, path);
    xt_problem_set(problem, "%s", sentence);
    xt_problem_at(problem, line, 0);
    xt_problem_excerpt(problem, xt_slice_str(text));
    xt_problem_hint(problem, "lines are `name = value` with the names that exectrail-agent --help lists");
    return XT_SETTINGS_E_INVALID;
}

/* Cuts the text into lines of name and value, written over in place. */
static int cut_lines(settings_source *source, char *text, const char *path, xt_problem *problem)
{
    size_t number = 0;
    for (char *line = text; line && *line;) {
        char *next = strchr(line, '\n');
        char *end = next ? next : line + strlen(line);
        char *name = trimmed(line, end);
        number++;
        line = next ? next + 1 : NULL;
        if (name[0] == '\0' || name[0] == '#')
            continue;
        char *equals = strchr(name, '=');
        if (!equals)
            return line_bad(problem, path, number, "this line has no `=`", name);
        char *value = trimmed(equals + 1, name + strlen(name));
        value = trimmed(value, value + strlen(value));
        name = trimmed(name, equals);
        if (!is_option(source, name))
            return line_bad(problem, path, number, "there is no such setting", name);
        if (source->n_lines == MAX_FILE_LINES)
            return line_bad(problem, path, number, "the file has too many settings", name);
        source->lines[source->n_lines++] = (file_line){name, value};
    }
    return 0;
}

static int read_file(settings_source *source, const char *path, bool required, char **ret_text, xt_problem *problem)
{
    xt_buf text = XT_BUF_INIT;
    int r = xt_vfs_read_file(&xt_vfs_system, path, MAX_FILE_BYTES, &text);
    if (r < 0 && !(r == -ENOENT && !required)) {
        xt_buf_fini(&text);
        xt_problem_source(problem, path);
        xt_problem_set(problem, "the settings cannot be read: %s", strerror(-r));
        return XT_SETTINGS_E_INVALID;
    }
    xt_buf_putc(&text, '\0');
    r = xt_buf_done(&text);
    if (r < 0) {
        xt_buf_fini(&text);
        return xt_error_trace(r);
    }
    *ret_text = text.p;
    return cut_lines(source, text.p, path, problem);
}

static int option_bad(xt_problem *problem, const char *name, const char *value, const char *hint)
{
    xt_problem_set(problem, "--%s cannot be \"%s\"", name, value);
    xt_problem_hint(problem, "%s", hint);
    return XT_SETTINGS_E_INVALID;
}

/* NAME, or NAME:PATH for those that read from a path. */
static int parse_audit(const char *text, xt_agent_settings *out, xt_problem *problem)
{
    static const char *const names[] = {"auto", "own", "plugin", "multicast", "af_unix", "follow", "text"};
    xt_slice path = xt_slice_str(text), name;
    (void)xt_slice_cut(&path, ':', &name);
    for (unsigned i = 0; i < XT_COUNT_OF(names); i++) {
        bool takes_path = i == XT_AUDIT_AF_UNIX || i == XT_AUDIT_FOLLOW;
        if (!xt_slice_eq(name, xt_slice_str(names[i])) || (name.n < strlen(text) && (!takes_path || path.n == 0)))
            continue;
        out->audit = (xt_agent_audit)i;
        out->input_path = name.n < strlen(text) ? path.p : NULL;
        return 0;
    }
    return option_bad(problem, "audit", text,
                      "it is one of auto, own, plugin, multicast, af_unix, af_unix:SOCKET, follow, follow:FILE, text");
}

/* What --audit, --plugin, --stdin and --follow say together. */
static int read_input(const settings_source *source, xt_agent_settings *out, xt_problem *problem)
{
    bool is_plugin = xt_opt_has(source->args, "plugin"), is_standard = is_plugin || find(source, "stdin") != NULL;
    const char *asked = is_plugin ? "plugin" : find(source, "audit"), *follow = find(source, "follow");
    int r = parse_audit(asked, out, problem);
    if (r != 0)
        return r;
    if (follow && !is_standard &&
        (out->audit == XT_AUDIT_AUTO || out->audit == XT_AUDIT_FOLLOW || out->audit == XT_AUDIT_TEXT)) {
        out->input_path = follow;
        out->audit = out->audit == XT_AUDIT_TEXT ? XT_AUDIT_TEXT : XT_AUDIT_FOLLOW;
    } else if (follow) {
        return option_bad(problem, "follow", follow, "it goes with --audit follow, --audit text or none");
    }
    if (is_standard)
        out->input = XT_INPUT_STANDARD;
    else if (out->audit == XT_AUDIT_AF_UNIX)
        out->input = XT_INPUT_SOCKET;
    else if (out->audit == XT_AUDIT_FOLLOW || (out->audit == XT_AUDIT_TEXT && follow))
        out->input = XT_INPUT_FILE;
    else if (out->audit == XT_AUDIT_TEXT)
        return option_bad(problem, "audit", asked, "text comes by --stdin or --follow FILE");
    if (out->input == XT_INPUT_FILE && !out->input_path)
        out->input_path = XT_AGENT_FOLLOW;
    out->is_text = out->audit == XT_AUDIT_TEXT || (is_standard && out->audit != XT_AUDIT_PLUGIN);
    return 0;
}

/* The first line of a small file of the system that begins with prefix, without it and without quotes; empty when there is none. */
static void read_fact(const char *path, const char *prefix, char *ret, size_t n)
{
    xt_buf text = XT_BUF_INIT;
    ret[0] = '\0';
    if (xt_vfs_read_file(&xt_vfs_system, path, MAX_FILE_BYTES, &text) == 0) {
        xt_slice rest = xt_buf_slice(&text), line;
        while (!ret[0] && xt_slice_cut(&rest, '\n', &line)) {
            if (!xt_slice_starts(line, xt_slice_str(prefix)))
                continue;
            line = xt_slice_skip(line, strlen(prefix));
            if (line.n > 1 && line.p[0] == '"' && line.p[line.n - 1] == '"')
                line = xt_slice_of(line.p + 1, line.n - 2);
            line = xt_slice_head(line, n - 1);
            if (line.n > 0)
                memcpy(ret, line.p, line.n);
            ret[line.n] = '\0';
        }
    }
    xt_buf_fini(&text);
}

/* An agent that is told to seal and cannot must not begin: what it takes out would be lost. */
static int read_seal_key(const char *text, xt_secret_seal_key *ret, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf file = XT_BUF_INIT;
    if (!text) {
        xt_problem_set(problem, "--secrets seal needs the public key that secrets are sealed to");
        xt_problem_hint(problem, "give it with --seal-to; exectrail secret keygen --out FILE prints one");
        return XT_SETTINGS_E_INVALID;
    }
    if (xt_secret_seal_is_key(xt_slice_str(text))) {
        xt_buf_puts(&file, text);
    } else {
        int r = xt_vfs_read_file(&xt_vfs_system, text, MAX_FILE_BYTES, &file);
        xt_problem_source(problem, text);
        if (r < 0) {
            xt_problem_set(problem, "the public key cannot be read: %s", strerror(-r));
            return XT_SETTINGS_E_INVALID;
        }
    }
    int r = xt_secret_seal_key_parse(xt_buf_slice(&file), ret, problem);
    return r > 0 ? XT_SETTINGS_E_INVALID : r;
}

static int read_secret_mode(const settings_source *source, xt_agent_settings *out, xt_problem *problem)
{
    const char *mode = find(source, "secrets"), *key = find(source, "seal-to");
    bool seals = strcmp(mode, "seal") == 0;
    if (!seals && strcmp(mode, "off") != 0 && strcmp(mode, "drop") != 0)
        return option_bad(problem, "secrets", mode, "it is drop, seal or off");
    if (!seals && key)
        return option_bad(problem, "seal-to", key, "a key is of use where secrets are sealed: --secrets seal");
    int r = seals ? read_seal_key(key, &out->seal_key, problem) : 0;
    out->seals = r == 0 && seals;
    return r;
}

static int open_secrets(const settings_source *source, xt_secret_rules **ret, xt_problem *problem)
{
    const char *mode = find(source, "secrets"), *path = find(source, "secret-rules");
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    if (strcmp(mode, "off") == 0)
        return 0;
    if (!path)
        return xt_error_trace(xt_secret_rules_builtin(ret));
    int r = xt_vfs_read_file(&xt_vfs_system, path, 1 << 20, &text);
    if (r < 0)
        return option_bad(problem, "secret-rules", path, strerror(-r));
    return xt_secret_rules_parse(xt_buf_slice(&text), path, ret, problem);
}

static int read_switch(const settings_source *source, const char *name, bool *ret, xt_problem *problem)
{
    const char *text = find(source, name);
    *ret = strcmp(text, "on") == 0;
    return *ret || strcmp(text, "off") == 0 ? 0 : option_bad(problem, name, text, "it is on or off");
}

static int read_witness(const settings_source *source, xt_agent_settings *out, xt_problem *problem)
{
    const char *canary = find(source, "canary");
    uint64_t seconds;
    const char *hash = find(source, "hash");
    out->takes_digests = strcmp(hash, "sha256") == 0;
    if (!out->takes_digests && strcmp(hash, "off") != 0)
        return option_bad(problem, "hash", hash, "it is sha256 or off");
    int r = read_switch(source, "witness", &out->witness, problem);
    if (r == 0)
        r = read_switch(source, "exits", &out->exits, problem);
    if (r == 0 && (!xt_slice_parse_u64(xt_slice_str(canary), &seconds) || seconds > 86400))
        return option_bad(problem, "canary", canary, "it is a number of seconds up to 86400, 0 for none");
    if (r == 0)
        out->canary_ms = seconds * 1000;
    return r;
}

static int read_protect(const settings_source *source, xt_agent_settings *out, xt_problem *problem)
{
    const char *protect = find(source, "protect"), *limit = find(source, "cpu-limit");
    uint64_t percent;
    bool is_record = strcmp(protect, "record") == 0;
    if (!is_record && strcmp(protect, "host") != 0)
        return option_bad(problem, "protect", protect, "it is host or record");
    if (!xt_slice_parse_u64(xt_slice_str(limit), &percent) || percent > 10000)
        return option_bad(problem, "cpu-limit", limit, "it is a percentage of one CPU up to 10000, 0 for none");
    out->protect = is_record ? XT_PROTECT_RECORD : XT_PROTECT_HOST;
    out->cpu_limit = (unsigned)percent;
    return read_switch(source, "repair", &out->repair, problem);
}

static int read_write_log(const settings_source *source, xt_agent_settings *out, xt_problem *problem)
{
    const char *mib = find(source, "write-log-mib"), *files = find(source, "write-log-files");
    uint64_t n_mib, n_files;
    out->write_log = find(source, "write-log");
    if (out->write_log && out->write_log[0] != '/')
        return option_bad(problem, "write-log", out->write_log, "it is a path from / on");
    if (!xt_slice_parse_u64(xt_slice_str(mib), &n_mib) || n_mib < 1 || n_mib > 65536)
        return option_bad(problem, "write-log-mib", mib, "it is a number of mebibytes from 1 to 65536");
    if (!xt_slice_parse_u64(xt_slice_str(files), &n_files) || n_files < 1 || n_files > 999)
        return option_bad(problem, "write-log-files", files, "it is a number from 1 to 999");
    out->write_log_bytes = n_mib << 20;
    out->write_log_files = (unsigned)n_files;
    return 0;
}

/* Those of the file first: what the command line says of the same name counts. */
static int read_labels(const settings_source *source, xt_agent_settings *out, xt_problem *problem)
{
    xt_slice labels[XT_MAX_LABELS];
    size_t n = 0;
    const char *given;
    for (size_t i = 0; i < source->n_lines && n < XT_MAX_LABELS; i++)
        if (strcmp(source->lines[i].name, "label") == 0)
            labels[n++] = xt_slice_str(source->lines[i].value);
    for (unsigned i = 0; (given = xt_opt_nth(source->args, "label", i)) != NULL; i++) {
        if (n == XT_MAX_LABELS)
            return option_bad(problem, "label", given, "there are too many labels");
        labels[n++] = xt_slice_str(given);
    }
    for (size_t i = 0; i < n; i++)
        if (xt_label_check(out->secrets, labels[i], problem) != 0)
            return XT_SETTINGS_E_INVALID;
    if (n > 0)
        xt_labels_put(&out->labels, labels, n);
    return xt_buf_done(&out->labels);
}

static int fill(const settings_source *source, xt_agent_settings *out, xt_problem *problem)
{
    out->servers = find(source, "server");
    out->token = find(source, "token");
    out->state = find(source, "state");
    out->output = find(source, "output");
    out->user = find(source, "user");
    out->rules = find(source, "rules");
    if (!xt_policy_words_parse(xt_slice_str(find(source, "policy")), &out->policy_words))
        return option_bad(
            problem, "policy", find(source, "policy"),
            "it is on, off, or words with commas: rules, protect, exits, canary, spool-mib, cpu-limit, pause");
    int r = read_input(source, out, problem);
    if (r != 0)
        return r;
    r = read_secret_mode(source, out, problem);
    if (r == 0)
        r = open_secrets(source, &out->secrets, problem);
    if (r != 0)
        return r < 0 ? r : XT_SETTINGS_E_INVALID;
    r = read_witness(source, out, problem);
    if (r == 0)
        r = read_protect(source, out, problem);
    if (r == 0)
        r = read_labels(source, out, problem);
    if (r == 0)
        r = read_write_log(source, out, problem);
    if (r != 0)
        return r;
    const char *spool = find(source, "spool-mib"), *spare = find(source, "spool-free-mib");
    uint64_t mib, spare_mib = 0;
    if (!xt_slice_parse_u64(xt_slice_str(spool), &mib) || mib < 1 || mib > 1 << 20)
        return option_bad(problem, "spool-mib", spool, "it is a number of mebibytes from 1 to 1048576");
    out->spool_bytes = mib << 20;
    if (spare && (!xt_slice_parse_u64(xt_slice_str(spare), &spare_mib) || spare_mib < 1 || spare_mib > 1 << 20))
        return option_bad(problem, "spool-free-mib", spare, "it is a number of mebibytes from 1 to 1048576");
    out->spool_free_bytes = spare_mib << 20;
    const char *host = find(source, "host");
    if (host && (!host[0] || strlen(host) >= sizeof out->host_name))
        return option_bad(problem, "host", host, "it is a name of 1 to 255 bytes");
    if (host)
        memcpy(out->host_name, host, strlen(host) + 1);
    else if (gethostname(out->host_name, sizeof out->host_name - 1) < 0)
        return xt_error_origin(-errno);
    return 0;
}

int xt_agent_settings_read(const xt_opt_args *args, xt_agent_settings *ret, xt_problem *reterr_problem)
{
    settings_source source = {.args = args};
    xt_agent_settings out = {0};
    out.path = xt_opt_has(args, "config") ? xt_opt_get(args, "config") : XT_AGENT_CONFIG;
    int r = read_file(&source, out.path, xt_opt_has(args, "config"), &out.file, reterr_problem);
    if (r == 0)
        r = fill(&source, &out, reterr_problem);
    if (r == 0 && !out.servers && !out.output) {
        xt_problem_set(reterr_problem,
                       "neither --server nor --output is given, so there is no place to send events to");
        xt_problem_hint(reterr_problem, "give --server HOST:PORT, or --output - to see them here");
        r = XT_SETTINGS_E_INVALID;
    }
    if (r != 0) {
        xt_agent_settings_fini(&out);
        return r;
    }
    read_fact("/proc/sys/kernel/random/boot_id", "", out.boot_id, sizeof out.boot_id);
    read_fact("/etc/machine-id", "", out.machine_id, sizeof out.machine_id);
    read_fact("/proc/sys/kernel/osrelease", "", out.kernel, sizeof out.kernel);
    read_fact("/etc/os-release", "PRETTY_NAME=", out.os, sizeof out.os);
    *ret = out;
    return 0;
}

int xt_agent_settings_of_rules(const xt_opt_args *args, xt_agent_settings *ret, xt_problem *reterr_problem)
{
    settings_source source = {.args = args};
    xt_agent_settings out = {0};
    int r = read_file(&source, xt_opt_get(args, "config"), xt_opt_has(args, "config"), &out.file, reterr_problem);
    if (r != 0) {
        xt_agent_settings_fini(&out);
        return r;
    }
    out.state = find(&source, "state");
    out.rules = find(&source, "rules");
    out.rules = out.rules ? out.rules : "";
    const char *words = xt_opt_has(args, "rules") ? "off" : find_line(&source, "policy");
    if (!words || !xt_policy_words_parse(xt_slice_str(words), &out.policy_words))
        out.policy_words = XT_POLICY_ALL;
    read_fact("/proc/sys/kernel/random/boot_id", "", out.boot_id, sizeof out.boot_id);
    *ret = out;
    return 0;
}

void xt_agent_settings_fini(xt_agent_settings *settings)
{
    free(settings->file);
    settings->file = NULL;
    xt_buf_fini(&settings->labels);
    settings->secrets = xt_secret_rules_unref(settings->secrets);
}
