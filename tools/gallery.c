#include "gallery.h"

#include <glib/gstdio.h>
#include <string.h>

#include "picture.h"

enum { MAX_DEPTH = 8 };
#define MAX_PICTURES (1u << 20)

static gboolean is_link(const char *path) { return g_file_test(path, G_FILE_TEST_IS_SYMLINK); }

static int add_folder(GPtrArray *names, const char *folder, const char *below, int depth, FvError *err) {
  g_autofree char *path = below ? g_build_filename(folder, below, NULL) : g_strdup(folder);
  g_autoptr(GError) error = NULL;
  g_autoptr(GDir) entries = g_dir_open(path, 0, &error);
  if (!entries) return fv_error_set(err, FV_ERR_IO, "%s", error->message);
  int result = 0;
  for (const char *name; result == 0 && (name = g_dir_read_name(entries));) {
    g_autofree char *relative = below ? g_build_filename(below, name, NULL) : g_strdup(name);
    g_autofree char *full = g_build_filename(folder, relative, NULL);
    if (g_file_test(full, G_FILE_TEST_IS_DIR)) {
      if (depth < MAX_DEPTH && !is_link(full)) result = add_folder(names, folder, relative, depth + 1, err);
    } else if (fv_picture_can_write(name)) { /* the endings that we write are those that we look for */
      if (names->len >= MAX_PICTURES) return fv_error_set(err, FV_ERR_LIMIT, "%s holds more than %u pictures", folder, MAX_PICTURES);
      g_ptr_array_add(names, g_steal_pointer(&relative));
    }
  }
  return result;
}

static int by_name(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

GPtrArray *fv_gallery_list(const char *folder, FvError *err) {
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  if (add_folder(names, folder, NULL, 0, err) < 0) return NULL;
  if (names->len == 0) {
    fv_error_set(err, FV_ERR_IO, "%s: no picture in it (jpg, jpeg, png or bmp)", folder);
    return NULL;
  }
  g_ptr_array_sort(names, by_name);
  return g_steal_pointer(&names);
}

void fv_gallery_thin(GPtrArray *names, guint count) {
  guint all = names->len;
  if (count >= all) return;
  g_autoptr(GPtrArray) kept = g_ptr_array_sized_new(count);
  for (guint i = 0; i < count; i++) {
    guint at = (guint)((guint64)i * all / count);
    g_ptr_array_add(kept, names->pdata[at]);
    names->pdata[at] = NULL;
  }
  for (guint i = 0; i < all; i++) g_free(names->pdata[i]);
  for (guint i = 0; i < count; i++) names->pdata[i] = kept->pdata[i];
  memset(names->pdata + count, 0, (all - count) * sizeof *names->pdata);
  g_ptr_array_set_size(names, (int)count);
}
