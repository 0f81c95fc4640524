/*
 * exectrail store backup, backup list, backup verify, restore. Whoever has the data folder takes the backup, a running
 * server too; all else looks at the folder of backups alone, in this process.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/timestamp.h"
#include "cli/call.h"
#include "cli/commands.h"
#include "server/backup_check.h"
#include "server/restore.h"

/* To be freed; NULL: no memory, or no working folder. */
static char *absolute(const char *path)
{
    char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0), *joined = NULL;

    if (path[0] == '/')
        return strdup(path);
    if (cwd && asprintf(&joined, "%s/%s", cwd, path) < 0)
        joined = NULL;
    free(cwd);
    return joined;
}

static int fail_with(int r, xt_problem *problem)
{
    if (!xt_problem_is_set(problem))
        xt_problem_set(problem, "%s", strerror(r < 0 ? -r : EINVAL));
    return xt_cli_fail(problem);
}

/* 1.5 GiB; of less than a MiB the bytes. */
static void bytes_format(uint64_t n, char ret[static 24])
{
    if (n >= (uint64_t)1 << 30)
        snprintf(ret, 24, "%.1f GiB", (double)n / (1 << 30));
    else if (n >= 1 << 20)
        snprintf(ret, 24, "%.1f MiB", (double)n / (1 << 20));
    else
        snprintf(ret, 24, "%llu bytes", (unsigned long long)n);
}

static void show_progress(uint64_t n_done, uint64_t n_total)
{
    char total[24];

    if (n_total == 0)
        return;
    bytes_format(n_total, total);
    fprintf(stderr, "\r\033[K%3u %% of %s", (unsigned)(n_done * 100 / n_total), total);
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

static int on_progress(void *context, uint64_t n_done, uint64_t n_total)
{
    unsigned *percent = context, now = n_total ? (unsigned)(n_done * 100 / n_total) : 0;

    if (now != *percent && isatty(STDERR_FILENO))
        show_progress(n_done, n_total);
    *percent = now;
    return 0;
}

static void on_problem(void *context, const xt_problem *problem)
{
    (void)context;
    end_progress();
    (void)xt_cli_fail(problem);
}

/* ------------------------------------------------------------------------------------------------ backup */

static uint64_t number_of(const json_t *d, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(d, name));
}

static void text_get(const json_t *d, const char *name, char *to, size_t room)
{
    const char *text = json_string_value(json_object_get(d, name));

    snprintf(to, room, "%s", text ? text : "");
}

static int print_problem(const json_t *d)
{
    xt_problem problem = XT_PROBLEM_INIT;

    text_get(d, "sentence", problem.sentence, sizeof problem.sentence);
    text_get(d, "source", problem.source, sizeof problem.source);
    text_get(d, "hint", problem.hint, sizeof problem.hint);
    text_get(d, "excerpt", problem.excerpt, sizeof problem.excerpt);
    return xt_cli_fail(&problem);
}

static int print_result(const json_t *d)
{
    char copied[24], all[24], generation[32];
    const json_t *one, *problems = json_object_get(d, "problems");
    size_t i;

    text_get(d, "generation", generation, sizeof generation);
    bytes_format(number_of(d, "copied_bytes"), copied);
    bytes_format(number_of(d, "bytes"), all);
    printf("%llu events (%llu of them not sealed yet) in %llu segments; %llu of %llu files were new, %s of %s",
           (unsigned long long)number_of(d, "events"), (unsigned long long)number_of(d, "pending"),
           (unsigned long long)number_of(d, "segments"), (unsigned long long)number_of(d, "copied_files"),
           (unsigned long long)number_of(d, "files"), copied, all);
    if (number_of(d, "pruned"))
        printf("; %llu older generations removed", (unsigned long long)number_of(d, "pruned"));
    printf("\ngeneration %s\n", generation);
    json_array_foreach(problems, i, one)(void) print_problem(one);
    return json_array_size(problems) ? 1 : 0;
}

/* What comes of the route, line by line. */
typedef struct answer_lines {
    xt_buf line;
    json_t *last;
} answer_lines;

static int on_answer(void *context, xt_slice bytes)
{
    answer_lines *a = context;

    for (; bytes.n; bytes = xt_slice_skip(bytes, 1)) {
        if (bytes.p[0] != '\n') {
            xt_buf_putc(&a->line, bytes.p[0]);
            continue;
        }
        json_decref(a->last);
        a->last = json_loadb(a->line.p ? a->line.p : "", a->line.n, 0, NULL);
        xt_buf_reset(&a->line);
        if (json_object_get(a->last, "total"))
            show_progress(number_of(a->last, "done"), number_of(a->last, "total"));
    }
    return 0;
}

int xt_cmd_backup(const xt_opt_args *args)
{
    answer_lines a = {.last = NULL};
    char *to = absolute(args->operands[0]);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_call call;

    if (!to)
        return fail_with(-ENOMEM, &problem);
    xt_call_init(&call, "POST", "/api/v1/backup");
    xt_call_param(&call, "to", to);
    xt_call_options(&call, args, "keep");
    xt_call_param(&call, "progress", isatty(STDERR_FILENO) ? "1" : NULL);
    call.on_bytes = on_answer;
    call.context = &a;
    int status = xt_call_run(args, &call);
    end_progress();
    if (status == 0 && json_object_get(a.last, "error"))
        status = print_problem(json_object_get(a.last, "error"));
    else if (status == 0 && json_object_get(a.last, "generation"))
        status = print_result(a.last);
    else if (status == 0) {
        xt_problem_set(&problem, "the server ended before the backup did; the generations before are whole");
        status = xt_cli_fail(&problem);
    }
    json_decref(a.last);
    xt_buf_fini(&a.line);
    free(to);
    return status;
}

/* ------------------------------------------------------------------------------------------------ list */

typedef enum list_format { LIST_TABLE, LIST_NDJSON, LIST_CSV } list_format;

static void print_generation(const xt_backup_manifest *m, list_format format)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    char at[25], bytes[24];

    xt_timestamp_format(m->at_ms, at);
    bytes_format(xt_backup_manifest_bytes(m), bytes);
    if (format == LIST_NDJSON) {
        xt_json_object_begin(&json);
        xt_json_field_string(&json, "generation", xt_slice_str(m->generation));
        xt_json_field_string(&json, "at", xt_slice_str(at));
        xt_json_field_u64(&json, "events", m->n_events);
        xt_json_field_u64(&json, "segments", m->n_segments);
        xt_json_field_u64(&json, "ledger", m->ledger_id);
        xt_json_field_u64(&json, "files", m->n_entries);
        xt_json_field_u64(&json, "bytes", xt_backup_manifest_bytes(m));
        xt_json_field_u64(&json, "missing", m->n_missing);
        xt_json_field_string(&json, "version", m->version);
        xt_json_field_string(&json, "data", m->data);
        xt_json_object_end(&json);
        printf("%.*s\n", XT_S_ARGS(xt_buf_slice(&out)));
    } else if (format == LIST_CSV) {
        printf("%s,%s,%llu,%llu,%llu,%zu,%llu,%zu\n", m->generation, at, (unsigned long long)m->n_events,
               (unsigned long long)m->n_segments, (unsigned long long)m->ledger_id, m->n_entries,
               (unsigned long long)xt_backup_manifest_bytes(m), m->n_missing);
    } else {
        printf("%-22s %12llu %9llu %10llu %8zu %12s%s\n", m->generation, (unsigned long long)m->n_events,
               (unsigned long long)m->n_segments, (unsigned long long)m->ledger_id, m->n_entries, bytes,
               m->n_missing ? "  segments are missing" : "");
    }
}

static int list_all(const xt_backup_folder *folder, list_format format, xt_problem *problem)
{
    xt_backup_names names;
    int status = 0, r = xt_backup_folder_names(folder, &names, problem);

    if (r < 0)
        return fail_with(r, problem);
    if (format == LIST_CSV)
        printf("generation,at,events,segments,ledger,files,bytes,missing\n");
    if (format == LIST_TABLE && names.n)
        printf("%-22s %12s %9s %10s %8s %12s\n", "generation", "events", "segments", "ledger", "files", "bytes");
    for (size_t i = 0; i < names.n; i++) {
        xt_backup_manifest manifest;
        r = xt_backup_folder_manifest(folder, names.names[i], &manifest, problem);
        if (r == 0)
            print_generation(&manifest, format);
        else
            status = fail_with(r, problem);
        xt_backup_manifest_fini(&manifest);
    }
    free(names.names);
    return status;
}

int xt_cmd_backup_list(const xt_opt_args *args)
{
    static const char *const formats[] = {"table", "ndjson", "csv"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_folder folder;
    size_t format = 0;

    while (format < XT_COUNT_OF(formats) && strcmp(formats[format], xt_opt_get(args, "format")) != 0)
        format++;
    if (format == XT_COUNT_OF(formats)) {
        xt_problem_set(&problem, "--format is table, ndjson or csv");
        (void)xt_cli_fail(&problem);
        return 2;
    }
    int r = xt_backup_folder_open_to_read(&folder, &xt_vfs_system, args->operands[0], &problem);
    if (r != 0)
        return fail_with(r, &problem);
    int status = list_all(&folder, (list_format)format, &problem);
    xt_backup_folder_close(&folder);
    return status;
}

/* ------------------------------------------------------------------------------------------------ verify, restore */

int xt_cmd_backup_verify(const xt_opt_args *args)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_checked checked;
    unsigned percent = 101;
    char bytes[24];
    int r = xt_backup_check(&xt_vfs_system, args->operands[0], xt_opt_get(args, "generation"), on_problem, on_progress,
                            &percent, &checked, &problem);

    end_progress();
    if (r != 0)
        return fail_with(r, &problem);
    bytes_format(checked.n_bytes, bytes);
    printf("%llu generations, %llu files, %s: ", (unsigned long long)checked.n_generations,
           (unsigned long long)checked.n_files, bytes);
    if (checked.n_problems == 0)
        printf("all whole\n");
    else
        printf("%llu problems in %llu generations\n", (unsigned long long)checked.n_problems,
               (unsigned long long)checked.n_bad);
    return checked.n_problems ? 1 : 0;
}

static int restore(const xt_restore_wish *wish)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_restored restored;
    char at[25], bytes[24];
    int r = xt_restore(&xt_vfs_system, wish, &restored, &problem);

    end_progress();
    if (r == 0)
        r = xt_restore_note(wish->data, &restored, &problem);
    if (r != 0)
        return fail_with(r, &problem);
    xt_timestamp_format(restored.at_ms, at);
    bytes_format(restored.n_bytes, bytes);
    printf("%s is as it was at %s: %llu events in %llu segments, %s\n"
           "generation %s\n"
           "what was received after that is not in it; enrolment tokens and login links of then are void\n",
           wish->data, at, (unsigned long long)restored.n_events, (unsigned long long)restored.n_segments, bytes,
           restored.generation);
    return restored.n_problems ? 1 : 0;
}

int xt_cmd_restore(const xt_opt_args *args)
{
    xt_problem problem = XT_PROBLEM_INIT;
    unsigned percent = 101;
    char *from = absolute(args->operands[0]), *data = absolute(xt_opt_get(args, "data"));
    xt_restore_wish wish = {.from = from,
                            .data = data,
                            .generation = xt_opt_get(args, "generation"),
                            .report = on_problem,
                            .progress = on_progress,
                            .context = &percent};
    int status = from && data ? restore(&wish) : fail_with(-ENOMEM, &problem);

    free(from);
    free(data);
    return status;
}
