#include "modelcache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

struct FoveaSharedPlan {
  gchar *key;
  guint holders;
  gboolean loading;
  gboolean failed; /* no longer in the table; the waiters leave one after another */
  FvError err;
  FvPlan *plan;
  GArray *label_quarks;
  guint64 warm_up_ns;
  const gchar *sha256; /* interned */
};

static GMutex cache_lock;
static GCond cache_loaded;
static GHashTable *cache; /* key -> FoveaSharedPlan, not owned; exists while it is not empty */

static void append_file(GString *key, const gchar *path) {
  GStatBuf status = {0};
  gchar *full = path ? g_canonicalize_filename(path, NULL) : NULL;
  if (full && g_stat(full, &status) == 0)
    g_string_append_printf(key, "%s|%" G_GINT64_FORMAT ".%09ld|%" G_GINT64_FORMAT "|%" G_GUINT64_FORMAT "\n", full,
                           (gint64)status.st_mtim.tv_sec, (glong)status.st_mtim.tv_nsec, (gint64)status.st_size,
                           (guint64)status.st_ino);
  else
    g_string_append_printf(key, "%s|\n", full ? full : "");
  g_free(full);
}

static gchar *cache_key(const gchar *model, const FvModelParams *params, const FvPlanParams *plan_params) {
  GString *key = g_string_new(NULL);
  append_file(key, model);
  append_file(key, params->config);
  append_file(key, params->labels);
  append_file(key, params->trusted_keys);
  g_string_append_printf(key, "%d|%s|%d|%d", params->signature, plan_params->device ? plan_params->device : "auto",
                         plan_params->precision, plan_params->threads);
  return g_string_free(key, FALSE);
}

/* Labels come from files that others wrote; quarks are made of valid UTF-8 only, as structures and JSON need it. */
static GArray *make_label_quarks(const FvDescription *description) {
  if (!description->labels || description->class_count <= 0)
    return NULL;
  GArray *quarks = g_array_sized_new(FALSE, TRUE, sizeof(GQuark), (guint)description->class_count);
  for (gint i = 0; i < description->class_count; i++) {
    gchar *valid = g_utf8_make_valid(description->labels[i] ? description->labels[i] : "", -1);
    GQuark quark = g_quark_from_string(valid);
    g_array_append_val(quarks, quark);
    g_free(valid);
  }
  return quarks;
}

static int check_fit(const FvModel *model, const gchar *path, FvError *err) {
  const FvDescription *description = fv_model_description(model);
  if (description->family == FV_FAMILY_NONE) {
    const char *why = fv_model_describe_error(model);
    return fv_error_set(
      err, FV_ERR_CONFIG, "%s",
      why && *why ? why : "the model's outputs are not those of a known detector; give its description with config=");
  }
  if (description->family == FV_FAMILY_EMBEDDING)
    return fv_error_set(err, FV_ERR_CONFIG, "%s gives feature vectors and finds no objects; use a detector or a classifier",
                        path);
  return FV_OK;
}

/* One analysis of a grey picture: touches all memory, shows that the model runs, and tells how long a frame takes. */
static int warm_up(FoveaSharedPlan *shared, FvError *err) {
  const FvPreprocess *preprocess = &fv_model_description(fv_plan_model(shared->plan))->preprocess;
  gint width = CLAMP(preprocess->width, 1, FV_MAX_FRAME_SIDE), height = CLAMP(preprocess->height, 1, FV_MAX_FRAME_SIDE);
  FvSession *session = NULL;
  int rc = fv_session_create(shared->plan, &session, err);
  if (rc < 0)
    return rc;
  guint8 *grey = g_malloc((gsize)width * height);
  memset(grey, 114, (gsize)width * height);
  FvFrame frame = {.format = FV_FORMAT_GRAY8, .width = width, .height = height, .plane = {grey}, .stride = {width}};
  FvDetection found[8];
  gint64 start = g_get_monotonic_time();
  rc = fv_session_detect(session, &frame, NULL, found, G_N_ELEMENTS(found), err);
  shared->warm_up_ns = (guint64)(g_get_monotonic_time() - start) * 1000;
  g_free(grey);
  fv_session_destroy(&session);
  return rc;
}

/* The hash that sha256sum shows, so that a result can be traced to a file on any machine. */
static const gchar *hash_file(const gchar *path) {
  guchar buffer[65536];
  gint fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
  gssize got = fd < 0 ? -1 : 1;
  GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
  while (got > 0 || (got < 0 && fd >= 0 && errno == EINTR)) {
    got = read(fd, buffer, sizeof buffer);
    if (got > 0)
      g_checksum_update(sum, buffer, got);
  }
  const gchar *text = got == 0 ? g_intern_string(g_checksum_get_string(sum)) : NULL;
  g_checksum_free(sum);
  if (fd >= 0)
    close(fd);
  return text;
}

static int load(FoveaSharedPlan *shared, const gchar *path, const FvModelParams *params, const FvPlanParams *plan_params, FvError *err) {
  FvModel *model = NULL;
  int rc = fv_model_open(path, params, &model, err);
  if (rc < 0)
    return rc;
  rc = check_fit(model, path, err);
  if (rc >= 0)
    rc = fv_plan_create(model, plan_params, &shared->plan, err);
  if (rc >= 0)
    rc = warm_up(shared, err);
  if (rc >= 0)
    shared->label_quarks = make_label_quarks(fv_model_description(model));
  if (rc >= 0)
    shared->sha256 = hash_file(path);
  fv_model_destroy(&model);
  return rc;
}

static void shared_free(FoveaSharedPlan *shared) {
  fv_plan_destroy(&shared->plan);
  g_clear_pointer(&shared->label_quarks, g_array_unref);
  g_free(shared->key);
  g_free(shared);
}

/* Called with the lock held. A plan that was forgotten is no longer there, but another one of the same key may be. */
static void cache_remove(FoveaSharedPlan *shared) {
  if (!cache || g_hash_table_lookup(cache, shared->key) != shared)
    return;
  g_hash_table_remove(cache, shared->key);
  if (g_hash_table_size(cache) == 0)
    g_clear_pointer(&cache, g_hash_table_unref);
}

/* Called with the lock held. TRUE: the caller made the entry and must load it. Takes the key. */
static gboolean cache_join(gchar *key, FoveaSharedPlan **ret_shared) {
  if (!cache)
    cache = g_hash_table_new(g_str_hash, g_str_equal);
  FoveaSharedPlan *shared = g_hash_table_lookup(cache, key);
  gboolean made = !shared;
  if (made) {
    shared = g_new0(FoveaSharedPlan, 1);
    shared->key = key;
    shared->loading = TRUE;
    g_hash_table_insert(cache, shared->key, shared);
  } else {
    g_free(key);
  }
  shared->holders++;
  *ret_shared = shared;
  return made;
}

static FoveaSharedPlan *acquire_file(const gchar *model, const FvModelParams *params, const FvPlanParams *plan_params, FvError *err) {
  FoveaSharedPlan *shared;
  gchar *key = cache_key(model, params, plan_params);
  g_mutex_lock(&cache_lock);
  if (cache_join(key, &shared)) {
    g_mutex_unlock(&cache_lock);
    int rc = load(shared, model, params, plan_params, &shared->err);
    g_mutex_lock(&cache_lock);
    shared->loading = FALSE;
    shared->failed = rc < 0;
    if (shared->failed)
      cache_remove(shared);
    g_cond_broadcast(&cache_loaded);
  }
  while (shared->loading)
    g_cond_wait(&cache_loaded, &cache_lock);
  gboolean failed = shared->failed, last = FALSE;
  if (failed) {
    if (err)
      *err = shared->err;
    last = --shared->holders == 0;
  }
  g_mutex_unlock(&cache_lock);
  if (last)
    shared_free(shared);
  return failed ? NULL : shared;
}

FoveaSharedPlan *fovea_plan_acquire(const gchar *model, const FvModelParams *params, const FvPlanParams *plan_params, FvError *err) {
  char *path = NULL;
  if (fv_model_find(model, &path, err) < 0)
    return NULL;
  FoveaSharedPlan *shared = acquire_file(path, params, plan_params, err);
  free(path);
  return shared;
}

void fovea_plan_release(FoveaSharedPlan **shared) {
  FoveaSharedPlan *held = *shared;
  *shared = NULL;
  if (!held)
    return;
  g_mutex_lock(&cache_lock);
  gboolean last = --held->holders == 0;
  if (last)
    cache_remove(held);
  g_mutex_unlock(&cache_lock);
  if (last)
    shared_free(held);
}

void fovea_plan_forget(FoveaSharedPlan *shared) {
  g_mutex_lock(&cache_lock);
  cache_remove(shared);
  g_mutex_unlock(&cache_lock);
}

guint fovea_plan_holders(FoveaSharedPlan *shared) {
  g_mutex_lock(&cache_lock);
  guint holders = shared->holders;
  g_mutex_unlock(&cache_lock);
  return holders;
}

FvPlan *fovea_plan_get(const FoveaSharedPlan *shared) {
  return shared->plan;
}

GArray *fovea_plan_label_quarks(const FoveaSharedPlan *shared) {
  return shared->label_quarks;
}

const gchar *fovea_plan_model_sha256(const FoveaSharedPlan *shared) {
  return shared->sha256;
}

guint64 fovea_plan_warm_up_ns(const FoveaSharedPlan *shared) {
  return shared->warm_up_ns;
}
