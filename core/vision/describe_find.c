/* Where descriptions and label files are looked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vision/describe_internal.h"
#include "vision/install_paths.h"

/* directory/middle/file when it can be read, else NULL. An empty middle is left out. */
static char *readable(const char *directory, const char *middle, const char *file) {
  char *path = NULL;
  if (!directory || !*directory || asprintf(&path, "%s/%s%s%s", directory, middle, *middle ? "/" : "", file) < 0) return NULL;
  if (access(path, R_OK) == 0) return path;
  free(path);
  return NULL;
}

char *fv_config_find(const char *kind, const char *file) {
  char users[4096] = "";
  const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  if (xdg && *xdg)
    snprintf(users, sizeof users, "%s/fovea", xdg);
  else if (home && *home)
    snprintf(users, sizeof users, "%s/.config/fovea", home);
  const char *const directories[] = {getenv("FOVEA_CONFIG_DIR"), users, FV_INSTALLED_CONFIG_DIR};
  char *found = NULL;
  for (int i = 0; i < 3 && !found; i++) found = readable(directories[i], kind, file);
  return found;
}

/* A name that stays inside a directory. */
static bool is_plain_name(const char *name) { return name && *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200; }

static char *directory_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

char *fv_labels_find(const char *name, const char *beside) {
  if (!*name) return NULL;
  if (*name == '/') return access(name, R_OK) == 0 ? strdup(name) : NULL;
  char *directory = beside ? directory_of(beside) : NULL, *found = directory ? readable(directory, "", name) : NULL;
  free(directory);
  if (found || !is_plain_name(name)) return found;
  char file[256];
  snprintf(file, sizeof file, "%s.txt", name);
  return fv_config_find("labels", file);
}

/* The path with its ending replaced by .yaml. */
static char *beside_model(const char *model_path) {
  const char *slash = strrchr(model_path, '/'), *base = slash ? slash + 1 : model_path, *dot = strrchr(base, '.');
  int stem = dot && dot != base ? (int)(dot - model_path) : (int)strlen(model_path);
  char *path = NULL;
  if (asprintf(&path, "%.*s.yaml", stem, model_path) < 0) return NULL;
  if (access(path, R_OK) == 0) return path;
  free(path);
  return NULL;
}

char *fv_description_find(const char *model_path, const char *name, const char *config) {
  if (config && *config) return strdup(config);
  char *path = model_path ? beside_model(model_path) : NULL;
  if (path || !is_plain_name(name)) return path;
  char file[256];
  snprintf(file, sizeof file, "%s.yaml", name);
  return fv_config_find("models", file);
}
