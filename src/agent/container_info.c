/* How it works: the folders of the runtimes are tried in turn; the first file that tells anything counts. */
#include "agent/container_info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/json_member.h"

#define ID_DIGITS 64

static const char *const files[] = {
    "/run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json",
    "/var/lib/docker/containers/%s/config.v2.json",
    "/run/containers/storage/overlay-containers/%s/userdata/config.json",
    "/var/lib/containers/storage/overlay-containers/%s/userdata/config.json",
    "/run/containerd/io.containerd.runtime.v2.task/default/%s/config.json",
};

static bool is_id(xt_slice id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!(id.p[i] >= '0' && id.p[i] <= '9') && !(id.p[i] >= 'a' && id.p[i] <= 'f'))
            return false;
    return id.n == ID_DIGITS;
}

/* The first of the members that is a text which fits. */
static bool take_text(xt_slice object, const char *const *names, size_t n, char ret[static XT_CONTAINER_TEXT])
{
    for (size_t i = 0; i < n; i++) {
        char text[XT_CONTAINER_TEXT];
        xt_buf out = XT_BUF_ON(text);
        xt_slice value;
        if (!xt_json_member(object, xt_slice_str(names[i]), &value) || !xt_json_text(value, &out) || out.n == 0 ||
            xt_buf_done(&out) < 0 || memchr(text, '\0', out.n))
            continue;
        memcpy(ret, text, out.n);
        ret[out.n] = '\0';
        return true;
    }
    return false;
}

#define TAKE(object, field, ...)                                                                                       \
    take_text(object, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
              info->field)

static bool parse_labels(xt_slice labels, xt_container_info *info)
{
    bool some = TAKE(labels, image, "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName",
                     "io.kubernetes.cri-o.UserRequestedImage");
    some |= TAKE(labels, pod, "io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name");
    some |= TAKE(labels, namespace, "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace");
    some |= TAKE(labels, name, "io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name");
    return some;
}

bool xt_container_parse(xt_slice text, xt_container_info *info)
{
    xt_slice config, labels;
    bool some = false;
    if (xt_json_member(text, XT_S("annotations"), &labels))
        some = parse_labels(labels, info);
    if (!xt_json_member(text, XT_S("Config"), &config))
        return some;
    some |= TAKE(text, name, "Name");
    some |= TAKE(config, image, "Image");
    if (info->name[0] == '/') /* docker's names begin so */
        memmove(info->name, info->name + 1, sizeof info->name - 1);
    if (xt_json_member(config, XT_S("Labels"), &labels))
        some |= parse_labels(labels, info);
    return some;
}

static int file_read(const char *path, xt_buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int r = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ? -EINVAL : 0;
    while (r == 0 && out->n < XT_CONTAINER_FILE_BYTES) {
        char *p = xt_buf_reserve(out, 16384);
        ssize_t n = p ? read(fd, p, 16384) : -1;
        if (n <= 0) {
            r = n < 0 ? -EIO : 0;
            break;
        }
        out->n += (size_t)n;
    }
    close(fd);
    return r;
}

static void look(const char *root, xt_container_info *info)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    for (size_t i = 0; !info->is_known && i < XT_COUNT_OF(files); i++) {
        char name[256], path[512];
        xt_buf out = XT_BUF_ON(name);
        xt_slice rest = xt_slice_str(files[i]), before;
        (void)xt_slice_cut(&rest, '%', &before);
        xt_buf_put(&out, before);
        xt_buf_puts(&out, info->id);
        xt_buf_put(&out, xt_slice_skip(rest, 1));
        name[out.n] = '\0';
        int n = snprintf(path, sizeof path, "%s%s", root, name);
        xt_buf_reset(&text);
        if (n > 0 && n < (int)sizeof path && file_read(path, &text) == 0)
            info->is_known = xt_container_parse(xt_buf_slice(&text), info);
    }
}

static void forget_all(xt_container_set *set)
{
    xt_map_entry *entry;
    for (size_t i = 0; (entry = xt_map_next(&set->map, &i)) != NULL;)
        free(entry->value);
    xt_map_reset(&set->map);
}

void xt_container_set_fini(xt_container_set *set)
{
    forget_all(set);
    xt_map_fini(&set->map);
}

const xt_container_info *xt_container_find(xt_container_set *set, xt_slice id, int64_t now_ms)
{
    if (!is_id(id))
        return NULL;
    xt_container_info *info = xt_map_find(&set->map, id);
    if (info && (info->is_known || now_ms - info->asked_ms < XT_CONTAINER_RETRY_MS))
        return info;
    if (!info) {
        if (set->map.n >= XT_CONTAINER_MAX)
            forget_all(set);
        info = calloc(1, sizeof *info);
        if (!info)
            return NULL;
        memcpy(info->id, id.p, ID_DIGITS);
        if (xt_map_put(&set->map, xt_slice_of(info->id, ID_DIGITS), info, NULL) < 0) {
            free(info);
            return NULL;
        }
    }
    info->asked_ms = now_ms;
    look(set->root ? set->root : "", info);
    return info;
}
