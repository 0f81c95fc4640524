/*
 * --help for 80 columns and the man page (macros of man(7)), both from the table of base/opt. Texts are paragraphs
 * parted by an empty line; a line that begins with a space is an example and keeps its shape.
 */
#include "base/opt.h"

#define WIDTH       80
#define HELP_COLUMN 26

/* ---- text ---- */

/* Characters, not bytes: what is left of a UTF-8 sequence is not counted. */
static unsigned columns_of(xt_slice s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void put_spaces(xt_buf *out, unsigned n)
{
    while (n-- > 0)
        xt_buf_putc(out, ' ');
}

/* A line being filled. */
typedef struct flow {
    xt_buf *out;
    unsigned indent;
    unsigned column; /* 0: nothing on the line yet */
} flow;

static void flow_end(flow *f)
{
    if (f->column)
        xt_buf_putc(f->out, '\n');
    f->column = 0;
}

static void flow_word(flow *f, xt_slice word)
{
    unsigned n = columns_of(word);

    if (f->column > f->indent && f->column + 1 + n > WIDTH)
        flow_end(f);
    if (f->column < f->indent) {
        put_spaces(f->out, f->indent - f->column);
        f->column = f->indent;
    } else if (f->column > f->indent) {
        xt_buf_putc(f->out, ' ');
        f->column++;
    }
    xt_buf_put(f->out, word);
    f->column += n;
}

static void flow_words(flow *f, const char *text)
{
    xt_slice rest = xt_slice_str(text), word;

    while (xt_slice_cut(&rest, ' ', &word))
        if (word.n)
            flow_word(f, word);
}

static void put_paragraphs(xt_buf *out, const char *text)
{
    flow f = {.out = out};
    xt_slice rest = xt_slice_str(text), line, word;

    while (xt_slice_cut(&rest, '\n', &line)) {
        if (line.n == 0 || line.p[0] == ' ') {
            flow_end(&f);
            xt_buf_put(out, line);
            if (line.n || rest.p)
                xt_buf_putc(out, '\n');
            continue;
        }
        while (xt_slice_cut(&line, ' ', &word))
            if (word.n)
                flow_word(&f, word);
    }
    flow_end(&f);
}

static void put_option(xt_buf *out, const xt_opt *o)
{
    size_t start = out->n;
    flow f = {.out = out, .indent = HELP_COLUMN};

    if (o->letter)
        xt_buf_printf(out, "  -%c, --%s", o->letter, o->name);
    else
        xt_buf_printf(out, "      --%s", o->name);
    if (o->value)
        xt_buf_printf(out, " %s", o->value);
    f.column = columns_of(xt_slice_skip(xt_buf_slice(out), start));
    if (f.column + 2 > HELP_COLUMN)
        flow_end(&f);
    flow_words(&f, o->help);
    if (o->required)
        flow_words(&f, "(required)");
    if (o->many)
        flow_words(&f, "(may be repeated)");
    if (o->fallback) {
        flow_word(&f, XT_S("(default:"));
        xt_buf_printf(out, " %s)", o->fallback);
    }
    flow_end(&f);
}

static void put_options(xt_buf *out, const xt_opt_command *command)
{
    static const xt_opt help = {.name = "help", .letter = 'h', .help = "show this text"};

    xt_buf_puts(out, "\nOptions:\n");
    for (const xt_opt *o = command->options; o && o->name; o++)
        put_option(out, o);
    put_option(out, &help);
}

static void put_usage(xt_buf *out, const xt_opt_program *program, const xt_opt_command *command)
{
    flow f = {.out = out, .indent = 7};

    xt_buf_puts(out, "Usage: ");
    f.column = 7;
    flow_words(&f, program->name);
    flow_words(&f, command->name);
    for (const xt_opt *o = command->options; o && o->name; o++) {
        if (!o->required)
            continue;
        xt_buf_printf(out, " --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        f.column += (unsigned)(strlen(o->name) + (o->value ? strlen(o->value) + 1 : 0) + 3);
    }
    flow_words(&f, "[OPTION]...");
    flow_words(&f, command->operands);
    flow_end(&f);
}

static const xt_opt_command *nameless_command(const xt_opt_program *program)
{
    for (const xt_opt_command *c = program->commands; c->name; c++)
        if (!c->name[0])
            return c;
    return NULL;
}

static bool has_named_commands(const xt_opt_program *program)
{
    for (const xt_opt_command *c = program->commands; c->name; c++)
        if (c->name[0])
            return true;
    return false;
}

static void put_commands(xt_buf *out, const xt_opt_program *program)
{
    unsigned widest = 0;

    for (const xt_opt_command *c = program->commands; c->name; c++) {
        unsigned n = columns_of(xt_slice_str(c->name));
        widest = n > widest ? n : widest;
    }
    xt_buf_puts(out, "\nCommands:\n");
    for (const xt_opt_command *c = program->commands; c->name; c++) {
        if (!c->name[0])
            continue;
        flow f = {.out = out, .indent = widest + 4};
        xt_buf_printf(out, "  %s", c->name);
        f.column = 2 + columns_of(xt_slice_str(c->name));
        flow_words(&f, c->summary);
        flow_end(&f);
    }
    xt_buf_printf(out, "\n%s COMMAND --help tells more about one.\n", program->name);
}

static void put_program(xt_buf *out, const xt_opt_program *program)
{
    const xt_opt_command *nameless = nameless_command(program);

    xt_buf_printf(out, "%s - %s\n\n", program->name, program->summary);
    if (nameless)
        put_usage(out, program, nameless);
    if (has_named_commands(program))
        xt_buf_printf(out, "%s%s COMMAND [OPTION]...\n", nameless ? "       " : "Usage: ", program->name);
    if (nameless && nameless->text) {
        xt_buf_putc(out, '\n');
        put_paragraphs(out, nameless->text);
    }
    if (nameless)
        put_options(out, nameless);
    if (has_named_commands(program))
        put_commands(out, program);
    if (program->footer) {
        xt_buf_putc(out, '\n');
        put_paragraphs(out, program->footer);
    }
}

void xt_opt_help(const xt_opt_program *program, const xt_opt_command *command, xt_buf *out)
{
    if (!command) {
        put_program(out, program);
        return;
    }
    put_usage(out, program, command);
    xt_buf_putc(out, '\n');
    put_paragraphs(out, command->summary);
    if (command->text) {
        xt_buf_putc(out, '\n');
        put_paragraphs(out, command->text);
    }
    put_options(out, command);
}

/* ---- man page ---- */

/* Text as roff: nothing in it is a request or an escape, and quotes and dashes stay ASCII. */
static void man_text(xt_buf *out, xt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *special = NULL;
        switch (s.p[i]) {
        case '\\':
            special = "\\e";
            break;
        case '-':
            special = "\\-";
            break;
        case '\'':
            special = "\\(aq";
            break;
        case '`':
            special = "\\(ga";
            break;
        case '^':
            special = "\\(ha";
            break;
        case '~':
            special = "\\(ti";
            break;
        case '.':
            special = i == 0 ? "\\&." : NULL;
            break;
        }
        if (special)
            xt_buf_puts(out, special);
        else
            xt_buf_putc(out, s.p[i]);
    }
}

static void man_string(xt_buf *out, const char *z)
{
    man_text(out, xt_slice_str(z));
}

static void man_line(xt_buf *out, const char *z)
{
    man_string(out, z);
    xt_buf_putc(out, '\n');
}

static void man_paragraphs(xt_buf *out, const char *text)
{
    bool example = false;
    xt_slice rest = xt_slice_str(text), line;

    while (xt_slice_cut(&rest, '\n', &line)) {
        bool indented = line.n && line.p[0] == ' ';
        if (indented != example)
            xt_buf_puts(out, indented ? ".nf\n" : ".fi\n");
        example = indented;
        if (line.n == 0) {
            if (rest.p)
                xt_buf_puts(out, ".PP\n");
            continue;
        }
        if (indented)
            xt_buf_puts(out, "\\&");
        man_text(out, line);
        xt_buf_putc(out, '\n');
    }
    if (example)
        xt_buf_puts(out, ".fi\n");
}

static void man_option(xt_buf *out, const xt_opt *o)
{
    xt_buf_puts(out, ".TP\n");
    if (o->letter)
        xt_buf_printf(out, "\\fB\\-%c\\fR, ", o->letter);
    xt_buf_puts(out, "\\fB\\-\\-");
    man_string(out, o->name);
    xt_buf_puts(out, "\\fR");
    if (o->value) {
        xt_buf_puts(out, " \\fI");
        man_string(out, o->value);
        xt_buf_puts(out, "\\fR");
    }
    xt_buf_putc(out, '\n');
    man_line(out, o->help);
    if (o->required)
        xt_buf_puts(out, "(required)\n");
    if (o->many)
        xt_buf_puts(out, "(may be repeated)\n");
    if (o->fallback) {
        xt_buf_puts(out, "(default: ");
        man_string(out, o->fallback);
        xt_buf_puts(out, ")\n");
    }
}

static void man_synopsis(xt_buf *out, const xt_opt_program *program, const xt_opt_command *command)
{
    xt_buf_puts(out, "\\fB");
    man_string(out, program->name);
    if (command->name[0]) {
        xt_buf_putc(out, ' ');
        man_string(out, command->name);
    }
    xt_buf_puts(out, "\\fR");
    for (const xt_opt *o = command->options; o && o->name; o++) {
        if (!o->required)
            continue;
        xt_buf_puts(out, " \\fB\\-\\-");
        man_string(out, o->name);
        xt_buf_puts(out, "\\fR \\fI");
        man_string(out, o->value ? o->value : "");
        xt_buf_puts(out, "\\fR");
    }
    xt_buf_puts(out, " [\\fIOPTION\\fR]...");
    if (command->operands && command->operands[0]) {
        xt_buf_puts(out, " \\fI");
        man_string(out, command->operands);
        xt_buf_puts(out, "\\fR");
    }
    xt_buf_putc(out, '\n');
}

static void man_options(xt_buf *out, const xt_opt_command *command)
{
    for (const xt_opt *o = command->options; o && o->name; o++)
        man_option(out, o);
}

static void man_command(xt_buf *out, const xt_opt_program *program, const xt_opt_command *command)
{
    xt_buf_puts(out, ".SS ");
    man_line(out, command->name);
    man_synopsis(out, program, command);
    xt_buf_puts(out, ".PP\n");
    man_paragraphs(out, command->summary);
    if (command->text) {
        xt_buf_puts(out, ".PP\n");
        man_paragraphs(out, command->text);
    }
    man_options(out, command);
}

static void man_nameless(xt_buf *out, const xt_opt_command *command)
{
    if (command->text) {
        xt_buf_puts(out, ".SH DESCRIPTION\n");
        man_paragraphs(out, command->text);
    }
    if (command->options && command->options->name) {
        xt_buf_puts(out, ".SH OPTIONS\n");
        man_options(out, command);
    }
}

void xt_opt_man(const xt_opt_program *program, xt_buf *out)
{
    const xt_opt_command *nameless = nameless_command(program);

    xt_buf_puts(out, ".TH ");
    for (const char *z = program->name; *z; z++)
        xt_buf_putc(out, *z >= 'a' && *z <= 'z' ? (char)(*z - 32) : *z);
    xt_buf_printf(out, " %s \"\" \"%s %s\"\n", program->section ? program->section : "1", program->name,
                  program->version);
    xt_buf_puts(out, ".SH NAME\n");
    man_string(out, program->name);
    xt_buf_puts(out, " \\- ");
    man_line(out, program->summary);
    xt_buf_puts(out, ".SH SYNOPSIS\n");
    if (nameless)
        man_synopsis(out, program, nameless);
    if (nameless && has_named_commands(program))
        xt_buf_puts(out, ".br\n");
    if (has_named_commands(program)) {
        xt_buf_puts(out, "\\fB");
        man_string(out, program->name);
        xt_buf_puts(out, "\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n");
    }
    if (nameless)
        man_nameless(out, nameless);
    if (has_named_commands(program))
        xt_buf_puts(out, ".SH COMMANDS\n");
    for (const xt_opt_command *c = program->commands; c->name; c++)
        if (c->name[0])
            man_command(out, program, c);
    if (program->footer) {
        xt_buf_puts(out, ".SH NOTES\n");
        man_paragraphs(out, program->footer);
    }
}
