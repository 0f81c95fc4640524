/*
 * exectrail store dump: what a segment file holds and what each part of it costs, for people and as NDJSON. It looks at
 * the file alone, beside a running server too; chunks are not read (exectrail verify does that).
 */
#include <stdio.h>

#include "base/json_out.h"
#include "base/timestamp.h"
#include "cli/commands.h"
#include "store/segment.h"
#include "store/segment_directory.h"

/* What a field costs. */
typedef struct field_cost {
    uint64_t dict, filter, sets, rows; /* stored bytes */
    uint64_t dict_raw;
    uint32_t n_by_place[4];     /* row groups by how they have the column */
    uint32_t n_by_encoding[16]; /* chunks b by encoding */
} field_cost;

static const char *const place_names[] = {"absent", "const", "same", "plain"};
static const char *const encoding_names[16] = {[XT_SEGMENT_FOR] = "for",
                                               [XT_SEGMENT_DELTA] = "delta",
                                               [XT_SEGMENT_RECENT] = "recent",
                                               [XT_SEGMENT_WORDS] = "words"};

static field_cost cost_of(const xt_segment_field *field, uint32_t n_groups)
{
    field_cost cost = {.filter = field->filter.stored_bytes};

    for (uint32_t i = 0; i < field->n_dict_chunks; i++) {
        cost.dict += field->dict_chunks[i].chunk.stored_bytes;
        cost.dict_raw += field->dict_chunks[i].chunk.raw_bytes;
    }
    for (uint32_t g = 0; g < n_groups; g++) {
        const xt_segment_place *place = &field->places[g];
        cost.sets += place->a.stored_bytes;
        cost.rows += place->b.stored_bytes;
        cost.n_by_place[place->encoding]++;
        if (place->b.stored_bytes)
            cost.n_by_encoding[place->b.encoding & 15]++;
    }
    return cost;
}

static uint64_t total_of(const field_cost *cost)
{
    return cost->dict + cost->filter + cost->sets + cost->rows;
}

static const char *name_of(const xt_segment_field *field)
{
    const xt_field_info *info = xt_field_find(field->id);

    return info ? info->name : field->id == XT_SEGMENT_ARRIVAL ? "(arrival)" : "(unknown)";
}

static uint64_t group_bytes(const xt_segment_directory *directory, uint32_t g)
{
    uint64_t n = 0;

    for (uint32_t f = 0; f < directory->head.n_fields; f++)
        n += directory->fields[f].places[g].a.stored_bytes + directory->fields[f].places[g].b.stored_bytes;
    return n;
}

/* ------------------------------------------------------------------------------------------------ for people */

static void print_head(const xt_segment *segment)
{
    const xt_segment_info *info = xt_segment_info_get(segment);
    char made[25], first[25], last[25], hash[33];

    xt_timestamp_format(info->made_ms, made);
    xt_timestamp_format(info->min_ms, first);
    xt_timestamp_format(info->max_ms, last);
    xt_hash128_format(info->hash, hash);
    printf("segment   %016llx, version %d, level %u, made %.24s\n", (unsigned long long)info->id, XT_SEGMENT_VERSION,
           info->level, made);
    printf("rows      %llu in %u row groups, arrivals %llu to %llu\n", (unsigned long long)info->n_rows, info->n_groups,
           (unsigned long long)info->first_arrival, (unsigned long long)info->last_arrival);
    printf("times     %.24s to %.24s\n", first, last);
    printf("bytes     %llu, %.3f a row\nhash      %s\n\n", (unsigned long long)info->bytes,
           (double)info->bytes / (double)info->n_rows, hash);
}

static void print_groups(const xt_segment_directory *directory)
{
    printf("%5s %6s %-24s %-24s %9s %7s\n", "group", "rows", "from", "to", "bytes", "B/row");
    for (uint32_t g = 0; g < directory->head.n_groups; g++) {
        const xt_segment_rows *rows = &directory->groups[g];
        uint64_t bytes = group_bytes(directory, g);
        char first[25], last[25];
        xt_timestamp_format(rows->min_ms, first);
        xt_timestamp_format(rows->max_ms, last);
        printf("%5u %6u %.24s %.24s %9llu %7.3f\n", g, rows->n_rows, first, last, (unsigned long long)bytes,
               (double)bytes / rows->n_rows);
    }
    printf("\n");
}

static void print_counts(const char *const *names, const uint32_t *counts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (counts[i])
            printf(" %s:%u", names[i] ? names[i] : "?", counts[i]);
}

static void print_fields(const xt_segment_directory *directory)
{
    double n_rows = (double)directory->head.n_rows;

    printf("%-30s %8s %8s %8s %8s %8s %9s %6s  %s\n", "field", "B/row", "dict", "filter", "sets", "rows", "values",
           "chunks", "columns");
    for (uint32_t f = 0; f < directory->head.n_fields; f++) {
        const xt_segment_field *field = &directory->fields[f];
        field_cost cost = cost_of(field, directory->head.n_groups);
        printf("%-30s %8.3f %8.3f %8.3f %8.3f %8.3f %9u %6u ", name_of(field), (double)total_of(&cost) / n_rows,
               (double)cost.dict / n_rows, (double)cost.filter / n_rows, (double)cost.sets / n_rows,
               (double)cost.rows / n_rows, field->n_dict, field->n_dict_chunks);
        print_counts(place_names, cost.n_by_place, XT_COUNT_OF(place_names));
        print_counts(encoding_names, cost.n_by_encoding, XT_COUNT_OF(encoding_names));
        printf("\n");
    }
}

/* ------------------------------------------------------------------------------------------------ as NDJSON */

static void json_segment(const xt_segment *segment, xt_buf *out)
{
    const xt_segment_info *info = xt_segment_info_get(segment);
    xt_json json = xt_json_to(out);
    char hash[33];

    xt_hash128_format(info->hash, hash);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "segment", xt_slice_str(xt_segment_name(segment)));
    xt_json_field_u64(&json, "version", XT_SEGMENT_VERSION);
    xt_json_field_u64(&json, "level", info->level);
    xt_json_field_i64(&json, "made_ms", info->made_ms);
    xt_json_field_u64(&json, "rows", info->n_rows);
    xt_json_field_u64(&json, "groups", info->n_groups);
    xt_json_field_u64(&json, "first_arrival", info->first_arrival);
    xt_json_field_u64(&json, "last_arrival", info->last_arrival);
    xt_json_field_i64(&json, "min_ms", info->min_ms);
    xt_json_field_i64(&json, "max_ms", info->max_ms);
    xt_json_field_u64(&json, "bytes", info->bytes);
    xt_json_field_string(&json, "hash", xt_slice_str(hash));
    xt_json_object_end(&json);
    xt_buf_putc(out, '\n');
}

static void json_group(const xt_segment_directory *directory, uint32_t g, xt_buf *out)
{
    xt_json json = xt_json_to(out);

    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "group", g);
    xt_json_field_u64(&json, "rows", directory->groups[g].n_rows);
    xt_json_field_i64(&json, "min_ms", directory->groups[g].min_ms);
    xt_json_field_i64(&json, "max_ms", directory->groups[g].max_ms);
    xt_json_field_u64(&json, "bytes", group_bytes(directory, g));
    xt_json_object_end(&json);
    xt_buf_putc(out, '\n');
}

static void json_counts(xt_json *json, const char *key, const char *const *names, const uint32_t *counts, size_t n)
{
    xt_json_key(json, xt_slice_str(key));
    xt_json_object_begin(json);
    for (size_t i = 0; i < n; i++)
        if (counts[i])
            xt_json_field_u64(json, names[i] ? names[i] : "?", counts[i]);
    xt_json_object_end(json);
}

static void json_field(const xt_segment_field *field, uint32_t n_groups, xt_buf *out)
{
    field_cost cost = cost_of(field, n_groups);
    xt_json json = xt_json_to(out);

    xt_json_object_begin(&json);
    xt_json_field_string(&json, "field", xt_slice_str(name_of(field)));
    xt_json_field_u64(&json, "id", field->id);
    xt_json_field_u64(&json, "bytes", total_of(&cost));
    xt_json_field_u64(&json, "dictionary_bytes", cost.dict);
    xt_json_field_u64(&json, "dictionary_raw_bytes", cost.dict_raw);
    xt_json_field_u64(&json, "filter_bytes", cost.filter);
    xt_json_field_u64(&json, "sets_bytes", cost.sets);
    xt_json_field_u64(&json, "rows_bytes", cost.rows);
    xt_json_field_u64(&json, "values", field->n_dict);
    xt_json_field_u64(&json, "chunks", field->n_dict_chunks);
    json_counts(&json, "columns", place_names, cost.n_by_place, XT_COUNT_OF(place_names));
    json_counts(&json, "encodings", encoding_names, cost.n_by_encoding, XT_COUNT_OF(encoding_names));
    xt_json_object_end(&json);
    xt_buf_putc(out, '\n');
}

static void print_json(const xt_segment *segment)
{
    const xt_segment_directory *directory = xt_segment_directory_get(segment);
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;

    json_segment(segment, &out);
    for (uint32_t g = 0; g < directory->head.n_groups; g++)
        json_group(directory, g, &out);
    for (uint32_t f = 0; f < directory->head.n_fields; f++)
        json_field(&directory->fields[f], directory->head.n_groups, &out);
    fwrite(out.p, 1, out.n, stdout);
}

/* ------------------------------------------------------------------------------------------------ command */

int xt_cmd_store_dump(const xt_opt_args *args)
{
    bool as_json = strcmp(xt_opt_get(args, "format"), "ndjson") == 0;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_segment *segment = NULL;

    if (!as_json && strcmp(xt_opt_get(args, "format"), "table") != 0) {
        xt_problem_set(&problem, "--format is table or ndjson");
        return xt_cli_fail(&problem);
    }
    for (unsigned i = 0; i < args->n_operands; i++) {
        int r = xt_segment_open(&xt_vfs_system, args->operands[i], &segment, &problem);
        if (r != 0) {
            if (!xt_problem_is_set(&problem))
                xt_problem_set(&problem, "%s: %s", args->operands[i], strerror(-r));
            return xt_cli_fail(&problem);
        }
        if (as_json) {
            print_json(segment);
        } else {
            print_head(segment);
            print_groups(xt_segment_directory_get(segment));
            print_fields(xt_segment_directory_get(segment));
        }
        segment = xt_segment_unref(segment);
    }
    return 0;
}
