#include "change.h"

#include <string.h>

#include <gst/gst.h>

#include "build.h"

static const FvProperty *find_property(const FvStep *step, const char *name) {
  const FvProperty *found = NULL; /* the last one wins, as when it is built */
  for (guint i = 0; i < step->properties->len; i++) {
    const FvProperty *property = g_ptr_array_index(step->properties, i);
    if (g_str_equal(property->name, name)) found = property;
  }
  return found;
}

static gboolean changes_while_playing(const char *factory, const char *property) {
  GstElementFactory *known = gst_element_factory_find(factory);
  GstPluginFeature *loaded = known != NULL ? gst_plugin_feature_load(GST_PLUGIN_FEATURE(known)) : NULL;
  GType type = loaded != NULL ? gst_element_factory_get_element_type(GST_ELEMENT_FACTORY(loaded)) : G_TYPE_INVALID;
  GObjectClass *class = type != G_TYPE_INVALID ? g_type_class_ref(type) : NULL;
  GParamSpec *spec = class != NULL ? g_object_class_find_property(class, property) : NULL;
  gboolean mutable = spec != NULL && (spec->flags & GST_PARAM_MUTABLE_PLAYING);
  if (class != NULL) g_type_class_unref(class);
  gst_clear_object(&loaded);
  gst_clear_object(&known);
  return mutable;
}

/* What becomes of one property; other is NULL where the other chain does not set it. */
static FvChange compare_property(const FvStep *step, const FvProperty *property, const FvProperty *other) {
  if (other != NULL && g_str_equal(property->value, other->value)) return FV_CHANGE_NONE;
  return changes_while_playing(step->factory, property->name) ? FV_CHANGE_TUNE : FV_CHANGE_REBUILD;
}

static FvChange compare_step(const FvStep *from, const FvStep *to) {
  FvChange change = FV_CHANGE_NONE;
  if (!g_str_equal(from->factory, to->factory) || g_strcmp0(from->name, to->name) != 0) return FV_CHANGE_REBUILD;
  for (guint i = 0; i < to->properties->len; i++) {
    const FvProperty *property = g_ptr_array_index(to->properties, i);
    change = MAX(change, compare_property(to, property, find_property(from, property->name)));
  }
  for (guint i = 0; i < from->properties->len; i++) {
    const FvProperty *property = g_ptr_array_index(from->properties, i);
    if (find_property(to, property->name) == NULL) change = MAX(change, compare_property(from, property, NULL));
  }
  return change;
}

FvChange fv_change_of(GPtrArray *from, GPtrArray *to) {
  FvChange change = from->len == to->len ? FV_CHANGE_NONE : FV_CHANGE_REBUILD;
  for (guint i = 0; i < from->len && change != FV_CHANGE_REBUILD; i++) {
    const FvStep *a = g_ptr_array_index(from, i), *b = g_ptr_array_index(to, i);
    if ((a->branches == NULL) != (b->branches == NULL)) return FV_CHANGE_REBUILD;
    if (a->branches == NULL) {
      change = MAX(change, compare_step(a, b));
      continue;
    }
    if (a->branches->len != b->branches->len) return FV_CHANGE_REBUILD;
    for (guint j = 0; j < a->branches->len; j++)
      change = MAX(change, fv_change_of(g_ptr_array_index(a->branches, j), g_ptr_array_index(b->branches, j)));
  }
  return change;
}

static void apply_step(const FvStep *from, const FvStep *to, GstElement *element) {
  for (guint i = 0; i < from->properties->len; i++) {
    const FvProperty *property = g_ptr_array_index(from->properties, i);
    if (find_property(to, property->name) == NULL) fv_element_set(element, property->name, NULL);
  }
  for (guint i = 0; i < to->properties->len; i++) {
    const FvProperty *property = g_ptr_array_index(to->properties, i), *before = find_property(from, property->name);
    if (before == NULL || !g_str_equal(before->value, property->value)) fv_element_set(element, property->name, property->value);
  }
}

void fv_change_apply(GPtrArray *from, GPtrArray *to, GPtrArray *elements) {
  GPtrArray *before = g_ptr_array_new(), *after = g_ptr_array_new();
  fv_chain_flatten(from, before);
  fv_chain_flatten(to, after);
  for (guint i = 0; i < before->len && i < elements->len; i++)
    apply_step(g_ptr_array_index(before, i), g_ptr_array_index(after, i), g_ptr_array_index(elements, i));
  g_ptr_array_unref(before);
  g_ptr_array_unref(after);
}
