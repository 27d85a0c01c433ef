/* Models that are called by their name, and the one that is taken when none is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <fovea/model.h>

#include "base/text.h"
#include "vision/install_paths.h"

#define FOLDER_BYTES 4096
#define FOLDERS 3
#define SHOWN_BYTES 90 /* of a folder in a message: all three, and what to do, must fit */

/* A folder of that name is not meant: --model fovea-street works beside the folder models/fovea-street, too. */
static bool is_file(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

/* Anything with a slash or an ending is a path. */
static bool is_name(const char *name) { return *name && !strchr(name, '/') && !strchr(name, '.') && strlen(name) < 128; }

/* In the order in which they are searched; "" where there is none. */
static void list_folders(char folders[FOLDERS][FOLDER_BYTES]) {
  const char *own = getenv("FOVEA_MODEL_DIR"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  snprintf(folders[0], FOLDER_BYTES, "%s", own ? own : "");
  folders[1][0] = '\0';
  if (data && *data)
    snprintf(folders[1], FOLDER_BYTES, "%s/fovea/models", data);
  else if (home && *home)
    snprintf(folders[1], FOLDER_BYTES, "%s/.local/share/fovea/models", home);
  snprintf(folders[2], FOLDER_BYTES, "%s/models", FV_INSTALLED_CONFIG_DIR);
}

/* NAME/NAME.fovea, with its card beside it, or a file alone. NULL when there is none, or no memory. */
static char *look_in(const char *folder, const char *name) {
  static const char *const endings[] = {".fovea", ".onnx"};
  char *path = NULL;
  for (int i = 0; i < 4; i++) {
    const char *ending = endings[i / 2];
    int length = i % 2 == 0 ? asprintf(&path, "%s/%s/%s%s", folder, name, name, ending) : asprintf(&path, "%s/%s%s", folder, name, ending);
    if (length < 0) return NULL;
    if (is_file(path)) return path;
    free(path);
  }
  return NULL;
}

static int not_found(const char *name, bool given, char folders[FOLDERS][FOLDER_BYTES], FvError *err) {
  char searched[FOLDERS * (SHOWN_BYTES + 3)] = "", shown[128];
  for (int i = 0, used = 0; i < FOLDERS; i++)
    if (folders[i][0]) used += snprintf(searched + used, sizeof searched - (size_t)used, "%s%.*s", used ? ", " : "", SHOWN_BYTES, folders[i]);
  fv_text_clean(searched);
  snprintf(shown, sizeof shown, "%.60s", name);
  fv_text_clean(shown);
  if (given) return fv_error_set(err, FV_ERR_IO, "there is no file '%s', and no model of that name in %s; give the path of an .onnx or .fovea file", shown, searched);
  return fv_error_set(err, FV_ERR_IO, "no model is given, and %s, which comes with Fovea, is not in %s; name a model, run meson install, or set FOVEA_MODEL_DIR", shown,
                      searched);
}

int fv_model_find(const char *name, char **ret_path, FvError *err) {
  char folders[FOLDERS][FOLDER_BYTES], *path = NULL;
  bool given = name != NULL;
  if (!given) name = FV_DEFAULT_MODEL;
  if (given && (!is_name(name) || is_file(name))) {
    path = strdup(name);
    if (!path) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  } else {
    list_folders(folders);
    for (int i = 0; i < FOLDERS && !path; i++)
      if (folders[i][0]) path = look_in(folders[i], name);
    if (!path) return not_found(name, given, folders, err);
  }
  *ret_path = path;
  return 0;
}
