#include "clipstore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#define MAX_SAME_NAME 1000 /* clips that begin in the same second */

static const struct { gchar conversion; const gchar *pattern; } conversions[] = {
  {'Y', "[0-9]{4}"}, {'m', "[0-9]{2}"}, {'d', "[0-9]{2}"}, {'H', "[0-9]{2}"}, {'M', "[0-9]{2}"}, {'S', "[0-9]{2}"},
  {'j', "[0-9]{3}"}, {'y', "[0-9]{2}"}, {'F', "[0-9]{4}-[0-9]{2}-[0-9]{2}"}, {'s', "[0-9]+"}, {'%', "%"},
};

/* ---- names ---- */

static gchar *insert_source(const gchar *text, const gchar *source) {
  gchar *safe = g_strcanon(g_strdup(source && *source ? source : "clip"), G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_.", '_');
  if (*safe == '.')
    *safe = '_';
  gchar **parts = g_strsplit(text, "{source}", -1), *whole = g_strjoinv(safe, parts);
  g_strfreev(parts);
  g_free(safe);
  return whole;
}

static const gchar *pattern_of(gchar conversion) {
  for (guint i = 0; i < G_N_ELEMENTS(conversions); i++)
    if (conversions[i].conversion == conversion)
      return conversions[i].pattern;
  return NULL;
}

static void append_literal(GString *pattern, const gchar *text, gsize length) {
  gchar *escaped = g_regex_escape_string(text, (gint)length);
  g_string_append(pattern, escaped);
  g_free(escaped);
}

/* "gate-%Y.mp4" → "^gate\-[0-9]{4}(-[0-9]+)?\.mp4$" */
static GRegex *make_pattern(const gchar *format, GError **error) {
  const gchar *dot = strrchr(format, '.');
  GString *pattern = g_string_new("^");
  GRegex *regex = NULL;
  for (const gchar *at = format; *at; at++) {
    if (at == dot)
      g_string_append(pattern, "(-[0-9]+)?");
    const gchar *known = *at == '%' ? pattern_of(at[1]) : NULL;
    if (*at == '%' && !known) {
      g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%%%c in the name of a clip is none of %%Y %%m %%d %%H %%M %%S %%j %%y %%F %%s %%%%", at[1] ? at[1] : ' ');
      break;
    }
    if (known)
      g_string_append(pattern, known), at++;
    else
      append_literal(pattern, at, 1);
    if (!at[1]) {
      g_string_append_c(pattern, '$');
      regex = g_regex_new(pattern->str, G_REGEX_DOLLAR_ENDONLY | G_REGEX_RAW, 0, error);
    }
  }
  g_string_free(pattern, TRUE);
  return regex;
}

gboolean fovea_clip_store_init(FoveaClipStore *store, const gchar *location, const gchar *source, GError **error) {
  *store = (FoveaClipStore){0};
  gchar *whole = insert_source(location, source);
  store->directory = g_path_get_dirname(whole);
  store->format = g_path_get_basename(whole);
  const gchar *dot = strrchr(store->format, '.');
  if (strchr(store->directory, '%'))
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "'%s': the time may stand in the name of a clip, not in that of its directory", location);
  else if (!dot || dot == store->format || !dot[1] || g_str_has_suffix(whole, "/"))
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "'%s' does not end in a file name with an extension", location);
  else
    store->own = make_pattern(store->format, error);
  g_free(whole);
  if (!store->own)
    fovea_clip_store_clear(store);
  return store->own != NULL;
}

void fovea_clip_store_clear(FoveaClipStore *store) {
  g_clear_pointer(&store->directory, g_free);
  g_clear_pointer(&store->format, g_free);
  g_clear_pointer(&store->own, g_regex_unref);
}

static gboolean fail(GError **error, const gchar *path) {
  gint cause = errno;
  g_set_error(error, G_IO_ERROR, g_io_error_from_errno(cause), "%s: %s", path, g_strerror(cause));
  return FALSE;
}

static gchar *path_of(const FoveaClipStore *store, const gchar *name) { return g_build_filename(store->directory, name, NULL); }

static gchar *temporary_of(const FoveaClipStore *store, const gchar *name) {
  gchar *hidden = g_strdup_printf(".%s.part", name), *path = path_of(store, hidden);
  g_free(hidden);
  return path;
}

/* ---- what is there ---- */

gboolean fovea_clip_is_playable(gint descriptor) {
  guint8 head[8];
  gint64 at = 0;
  while (pread(descriptor, head, sizeof head, at) == (gssize)sizeof head) {
    guint32 size = (guint32)head[0] << 24 | (guint32)head[1] << 16 | (guint32)head[2] << 8 | head[3];
    if (memcmp(head + 4, "moof", 4) == 0)
      return TRUE;
    if (size < sizeof head)
      return FALSE;
    at += size;
  }
  return FALSE;
}

/* One that a living process writes is locked. */
static void recover(FoveaClipStore *store, const gchar *hidden) {
  gchar *name = g_strndup(hidden + 1, strlen(hidden) - 1 - strlen(".part")), *path = path_of(store, hidden), *final = path_of(store, name);
  gint descriptor = g_regex_match(store->own, name, 0, NULL) ? open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
  if (descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    if (!fovea_clip_is_playable(descriptor))
      g_unlink(path);
    else if (!g_file_test(final, G_FILE_TEST_EXISTS))
      g_rename(path, final);
  }
  if (descriptor >= 0)
    close(descriptor);
  g_free(name);
  g_free(path);
  g_free(final);
}

gboolean fovea_clip_store_open(FoveaClipStore *store, GError **error) {
  const gchar *name;
  if (g_mkdir_with_parents(store->directory, 0755) < 0)
    return fail(error, store->directory);
  GDir *directory = g_dir_open(store->directory, 0, error);
  if (!directory)
    return FALSE;
  while ((name = g_dir_read_name(directory)))
    if (name[0] == '.' && g_str_has_suffix(name, ".part") && strlen(name) > strlen("..part"))
      recover(store, name);
  g_dir_close(directory);
  return TRUE;
}

typedef struct Kept {
  gchar *path;
  gint64 time; /* of the last change, ns */
  guint64 bytes;
} Kept;

static void kept_clear(gpointer kept) { g_free(((Kept *)kept)->path); }

static gint by_time(gconstpointer a, gconstpointer b) {
  const Kept *first = a, *second = b;
  return first->time < second->time ? -1 : first->time > second->time ? 1 : strcmp(first->path, second->path);
}

static GArray *list(FoveaClipStore *store) {
  GArray *clips = g_array_new(FALSE, FALSE, sizeof(Kept));
  GDir *directory = g_dir_open(store->directory, 0, NULL);
  const gchar *name;
  g_array_set_clear_func(clips, kept_clear);
  while (directory && (name = g_dir_read_name(directory))) {
    struct stat status;
    gchar *path = g_regex_match(store->own, name, 0, NULL) ? path_of(store, name) : NULL;
    if (path && lstat(path, &status) == 0 && S_ISREG(status.st_mode)) {
      Kept kept = {path, status.st_mtim.tv_sec * G_GINT64_CONSTANT(1000000000) + status.st_mtim.tv_nsec, (guint64)status.st_size};
      g_array_append_val(clips, kept);
    } else
      g_free(path);
  }
  if (directory)
    g_dir_close(directory);
  g_array_sort(clips, by_time);
  return clips;
}

void fovea_clip_store_tidy(FoveaClipStore *store) {
  GArray *clips = list(store);
  guint64 bytes = 0;
  gint64 oldest = store->max_age > 0 ? (g_get_real_time() - store->max_age * G_USEC_PER_SEC) * 1000 : G_MININT64;
  for (guint i = 0; i < clips->len; i++) bytes += g_array_index(clips, Kept, i).bytes;
  for (guint i = 0; i < clips->len; i++) {
    const Kept *kept = &g_array_index(clips, Kept, i);
    if ((store->max_bytes == 0 || bytes <= store->max_bytes) && kept->time >= oldest)
      continue;
    if (g_unlink(kept->path) == 0)
      store->deleted++;
    bytes -= kept->bytes;
  }
  g_array_unref(clips);
}

/* ---- a new one ---- */

static gchar *make_name(const FoveaClipStore *store, GDateTime *when, guint number) {
  gchar *name = g_date_time_format(when, store->format);
  if (number == 0 || !name)
    return name;
  gsize stem = (gsize)(strrchr(name, '.') - name);
  gchar *numbered = g_strdup_printf("%.*s-%u%s", (gint)stem, name, number, name + stem);
  g_free(name);
  return numbered;
}

static gint try_create(FoveaClipStore *store, const gchar *name) {
  gchar *final = path_of(store, name), *path = temporary_of(store, name);
  gint descriptor = -1;
  errno = EEXIST;
  if (!g_file_test(final, G_FILE_TEST_EXISTS))
    descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (descriptor >= 0)
    flock(descriptor, LOCK_EX | LOCK_NB);
  g_free(final);
  g_free(path);
  return descriptor;
}

gint fovea_clip_store_create(FoveaClipStore *store, gint64 utc, gchar **ret_name, GError **error) {
  GDateTime *when = g_date_time_new_from_unix_utc(CLAMP(utc / 1000000000, 0, G_GINT64_CONSTANT(253402300799)));
  gint descriptor = -1;
  errno = EEXIST;
  for (guint number = 0; descriptor < 0 && errno == EEXIST && number < MAX_SAME_NAME; number++) {
    gchar *name = make_name(store, when, number);
    descriptor = try_create(store, name);
    if (descriptor >= 0)
      *ret_name = name;
    else
      g_free(name);
  }
  if (descriptor < 0)
    fail(error, store->directory);
  g_date_time_unref(when);
  return descriptor;
}

gchar *fovea_clip_store_finish(FoveaClipStore *store, gint descriptor, const gchar *name, GError **error) {
  gchar *path = temporary_of(store, name), *final = path_of(store, name);
  gboolean done = fsync(descriptor) == 0 && g_rename(path, final) == 0;
  if (!done) {
    fail(error, final);
    g_clear_pointer(&final, g_free);
  }
  g_free(path);
  return final;
}

void fovea_clip_store_remove(FoveaClipStore *store, const gchar *name) {
  gchar *path = temporary_of(store, name);
  g_unlink(path);
  g_free(path);
}
