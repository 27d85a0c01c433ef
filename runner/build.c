#include "build.h"

#include <string.h>

#include <gst/pbutils/pbutils.h>

#include "common/secret.h"
#include "nearest.h"

typedef struct Builder {
  GstBin *bin;
  FvProblems *problems;
  GPtrArray *elements; /* of steps, or NULL */
} Builder;

/* --- Elements ---------------------------------------------------------------------------------------------------- */

const char *fv_element_package(const char *factory) {
  static const struct { const char *prefix, *package; } packages[] = {
    {"fovea", "fovea (or set GST_PLUGIN_PATH to the folder of libgstfovea.so)"},
    {"x264enc", "gstreamer1.0-plugins-ugly"}, {"openh264", "gstreamer1.0-plugins-bad"}, {"h264parse", "gstreamer1.0-plugins-bad"},
    {"h265parse", "gstreamer1.0-plugins-bad"}, {"av", "gstreamer1.0-libav"}, {"mp4mux", "gstreamer1.0-plugins-good"},
    {"matroskamux", "gstreamer1.0-plugins-good"}, {"webmmux", "gstreamer1.0-plugins-good"}, {"rtspsrc", "gstreamer1.0-plugins-good"},
    {"v4l2", "gstreamer1.0-plugins-good"}, {"souphttpsrc", "gstreamer1.0-plugins-good"}, {"vp8", "gstreamer1.0-plugins-good"},
    {"vp9", "gstreamer1.0-plugins-good"}, {"autovideosink", "gstreamer1.0-plugins-good"}, {"pngdec", "gstreamer1.0-plugins-good"},
    {"jpegdec", "gstreamer1.0-plugins-good"}, {"decodebin", "gstreamer1.0-plugins-base"}, {"uridecodebin", "gstreamer1.0-plugins-base"},
    {"videoconvert", "gstreamer1.0-plugins-base"}, {"videotestsrc", "gstreamer1.0-plugins-base"}, {"videorate", "gstreamer1.0-plugins-base"},
    {"videoscale", "gstreamer1.0-plugins-base"}, {"qtdemux", "gstreamer1.0-plugins-good"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(packages); i++)
    if (g_str_has_prefix(factory, packages[i].prefix)) return packages[i].package;
  return NULL;
}

static void report_missing_element(Builder *builder, const FvStep *step) {
  GList *features = gst_registry_get_feature_list(gst_registry_get(), GST_TYPE_ELEMENT_FACTORY);
  GPtrArray *names = g_ptr_array_new();
  for (GList *item = features; item != NULL; item = item->next) g_ptr_array_add(names, (gpointer)gst_plugin_feature_get_name(item->data));
  g_ptr_array_add(names, NULL);
  const char *package = fv_element_package(step->factory);
  fv_problems_add(builder->problems, step->place, "there is no element '%.64s'%s%s%s", step->factory,
                  package != NULL ? ": install " : "", package != NULL ? package : "",
                  package != NULL ? "" : fv_did_you_mean(step->factory, (const char *const *)names->pdata));
  g_ptr_array_unref(names);
  gst_plugin_feature_list_free(features);
}

static void report_unknown_property(Builder *builder, GstElement *element, const FvStep *step, const FvProperty *property) {
  guint count = 0;
  GParamSpec **specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  const char **names = g_new0(const char *, count + 1);
  for (guint i = 0; i < count; i++) names[i] = specs[i]->name;
  fv_problems_add(builder->problems, property->place, "element %s has no property '%.64s'%s", step->factory, property->name,
                  fv_did_you_mean(property->name, names));
  g_free(names);
  g_free(specs);
}

/* What a property takes, for a message: the names of an enumeration, the range of a number. */
static char *describe_values(GParamSpec *spec) {
  if (G_IS_PARAM_SPEC_ENUM(spec)) {
    const GEnumClass *values = G_PARAM_SPEC_ENUM(spec)->enum_class;
    GString *text = g_string_new("one of ");
    for (guint i = 0; i < values->n_values; i++) g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", values->values[i].value_nick);
    return g_string_free(text, FALSE);
  }
  if (G_IS_PARAM_SPEC_INT(spec))
    return g_strdup_printf("a whole number from %d to %d", G_PARAM_SPEC_INT(spec)->minimum, G_PARAM_SPEC_INT(spec)->maximum);
  if (G_IS_PARAM_SPEC_UINT(spec))
    return g_strdup_printf("a whole number from %u to %u", G_PARAM_SPEC_UINT(spec)->minimum, G_PARAM_SPEC_UINT(spec)->maximum);
  if (G_IS_PARAM_SPEC_FLOAT(spec))
    return g_strdup_printf("a number from %g to %g", G_PARAM_SPEC_FLOAT(spec)->minimum, G_PARAM_SPEC_FLOAT(spec)->maximum);
  if (G_IS_PARAM_SPEC_DOUBLE(spec))
    return g_strdup_printf("a number from %g to %g", G_PARAM_SPEC_DOUBLE(spec)->minimum, G_PARAM_SPEC_DOUBLE(spec)->maximum);
  return g_strdup_printf("a %s", g_type_name(G_PARAM_SPEC_VALUE_TYPE(spec)));
}

static gboolean convert_value(GParamSpec *spec, const char *text, GValue *value) {
  g_value_init(value, G_PARAM_SPEC_VALUE_TYPE(spec));
  if (G_VALUE_HOLDS_STRING(value)) {
    g_value_set_string(value, text);
    return TRUE;
  }
  /* Validation changes a value that is out of range: an error here, where g_object_set would clamp it silently. */
  return gst_value_deserialize_with_pspec(value, text, spec) && !g_param_value_validate(spec, value);
}

gboolean fv_element_set(GstElement *element, const char *name, const char *value) {
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
  GValue converted = G_VALUE_INIT;
  gboolean ok = spec != NULL && (spec->flags & G_PARAM_WRITABLE);
  if (ok && value == NULL)
    g_value_copy(g_param_spec_get_default_value(spec), g_value_init(&converted, G_PARAM_SPEC_VALUE_TYPE(spec)));
  else
    ok = ok && convert_value(spec, value, &converted);
  if (ok) g_object_set_property(G_OBJECT(element), spec->name, &converted);
  if (G_IS_VALUE(&converted)) g_value_unset(&converted);
  return ok;
}

static void set_property(Builder *builder, GstElement *element, const FvStep *step, const FvProperty *property) {
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property->name);
  if (spec == NULL) {
    report_unknown_property(builder, element, step, property);
    return;
  }
  GValue value = G_VALUE_INIT;
  if (!(spec->flags & G_PARAM_WRITABLE)) {
    fv_problems_add(builder->problems, property->place, "property %s of %s cannot be set", spec->name, step->factory);
  } else if (convert_value(spec, property->value, &value)) {
    g_object_set_property(G_OBJECT(element), spec->name, &value);
  } else {
    char *takes = describe_values(spec);
    fv_problems_add(builder->problems, property->place, "property %s of %s takes %s, not '%.64s'", spec->name, step->factory, takes,
                    property->secret ? "***" : property->value);
    g_free(takes);
  }
  if (G_IS_VALUE(&value)) g_value_unset(&value);
}

/* --- Properties of children that appear later -------------------------------------------------------------------- */

typedef struct ChildProperty {
  char *child, *property, *value;
} ChildProperty;

static void child_property_free(gpointer data, GClosure *closure) {
  ChildProperty *wanted = data;
  g_free(wanted->child);
  g_free(wanted->property);
  g_free(wanted->value);
  g_free(wanted);
}

static void on_child_added(GstChildProxy *proxy, GObject *object, const char *name, gpointer user) {
  const ChildProperty *wanted = user;
  if (!g_str_equal(name, wanted->child)) return;
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(object), wanted->property);
  GValue value = G_VALUE_INIT;
  if (spec != NULL && (spec->flags & G_PARAM_WRITABLE) && convert_value(spec, wanted->value, &value))
    g_object_set_property(object, spec->name, &value);
  else
    GST_ELEMENT_ERROR(GST_ELEMENT(proxy), LIBRARY, SETTINGS, ("%s::%s cannot be set", wanted->child, wanted->property), (NULL));
  if (G_IS_VALUE(&value)) g_value_unset(&value);
}

static void set_child_property(Builder *builder, GstElement *element, const FvStep *step, const FvProperty *property) {
  if (!GST_IS_CHILD_PROXY(element)) {
    fv_problems_add(builder->problems, property->place, "element %s has no children, so no property '%.64s'", step->factory, property->name);
    return;
  }
  const char *separator = strstr(property->name, "::");
  ChildProperty *wanted = g_new0(ChildProperty, 1);
  wanted->child = g_strndup(property->name, (gsize)(separator - property->name));
  wanted->property = g_strdup(separator + 2);
  wanted->value = g_strdup(property->value);
  g_signal_connect_data(element, "child-added", G_CALLBACK(on_child_added), wanted, child_property_free, 0);
}

static GstElement *make_element(Builder *builder, const FvStep *step) {
  GstElement *element = gst_element_factory_make(step->factory, step->name);
  if (element == NULL) {
    report_missing_element(builder, step);
    return NULL;
  }
  for (guint i = 0; i < step->properties->len; i++) {
    const FvProperty *property = g_ptr_array_index(step->properties, i);
    if (strstr(property->name, "::") != NULL)
      set_child_property(builder, element, step, property);
    else
      set_property(builder, element, step, property);
  }
  if (!gst_bin_add(builder->bin, element)) {
    fv_problems_add(builder->problems, step->place, "the name '%s' is given to two elements", step->name);
    return NULL;
  }
  return element;
}

/* --- Links ------------------------------------------------------------------------------------------------------- */

static gboolean has_sometimes_source(GstElement *element) {
  for (const GList *item = gst_element_class_get_pad_template_list(GST_ELEMENT_GET_CLASS(element)); item != NULL; item = item->next) {
    const GstPadTemplate *template = item->data;
    if (template->direction == GST_PAD_SRC && template->presence == GST_PAD_SOMETIMES) return TRUE;
  }
  return FALSE;
}

static gboolean is_linked(GstElement *sink) {
  gboolean linked = FALSE;
  GST_OBJECT_LOCK(sink);
  for (GList *item = sink->sinkpads; item != NULL; item = item->next) linked |= gst_pad_is_linked(item->data);
  GST_OBJECT_UNLOCK(sink);
  return linked;
}

/* The first pad that fits is taken; others (sound, subtitles) stay unlinked, which demuxers and decodebin allow. */
static void on_pad_added(GstElement *source, GstPad *pad, gpointer user) {
  GstElement *sink = user;
  if (GST_PAD_DIRECTION(pad) != GST_PAD_SRC || is_linked(sink)) return;
  char *name = gst_pad_get_name(pad);
  gst_element_link_pads(source, name, sink, NULL);
  g_free(name);
}

static void on_no_more_pads(GstElement *source, gpointer user) {
  if (!is_linked(user))
    GST_ELEMENT_ERROR(source, STREAM, WRONG_TYPE, ("There is no video stream in the input."), ("nothing that fits element %s", GST_OBJECT_NAME(user)));
}

static void link_elements(Builder *builder, GstElement *source, GstElement *sink, FvPlace place) {
  if (has_sometimes_source(source)) {
    g_signal_connect_object(source, "pad-added", G_CALLBACK(on_pad_added), sink, 0);
    g_signal_connect_object(source, "no-more-pads", G_CALLBACK(on_no_more_pads), sink, 0);
  } else if (!gst_element_link(source, sink)) {
    const char *to = GST_OBJECT_NAME(gst_element_get_factory(sink)), *from = GST_OBJECT_NAME(gst_element_get_factory(source));
    fv_problems_add(builder->problems, place, "element %s cannot be linked behind %s: their formats do not meet", to, from);
  }
}

static void build_chain(Builder *builder, GPtrArray *chain, GstElement *previous);

static void build_tee(Builder *builder, const FvStep *step, GstElement *previous) {
  GstElement *tee = gst_element_factory_make("tee", NULL);
  gst_bin_add(builder->bin, tee);
  if (previous != NULL) link_elements(builder, previous, tee, step->place);
  for (guint i = 0; i < step->branches->len; i++) {
    GstElement *queue = gst_element_factory_make("queue", NULL);
    gst_bin_add(builder->bin, queue);
    link_elements(builder, tee, queue, step->place);
    build_chain(builder, g_ptr_array_index(step->branches, i), queue);
  }
}

static void build_chain(Builder *builder, GPtrArray *chain, GstElement *previous) {
  for (guint i = 0; i < chain->len; i++) {
    const FvStep *step = g_ptr_array_index(chain, i);
    if (step->branches != NULL) {
      build_tee(builder, step, previous);
      return;
    }
    GstElement *element = make_element(builder, step);
    if (builder->elements != NULL) g_ptr_array_add(builder->elements, element);
    if (element != NULL && previous != NULL) link_elements(builder, previous, element, step->place);
    previous = element;
  }
}

GstElement *fv_build_pipeline(GPtrArray *chain, const char *name, FvProblems *problems, GPtrArray *elements) {
  guint before = problems->items->len;
  GstElement *pipeline = gst_pipeline_new(name);
  Builder builder = {GST_BIN(pipeline), problems, elements};
  build_chain(&builder, chain, NULL);
  if (problems->items->len == before) return pipeline;
  gst_object_unref(gst_object_ref_sink(pipeline));
  return NULL;
}

/* --- Messages ---------------------------------------------------------------------------------------------------- */

char *fv_missing_plugin(GstMessage *message) {
  return gst_is_missing_plugin_message(message) ? gst_missing_plugin_message_get_description(message) : NULL;
}

static gboolean is_missing_codec(const GError *error) {
  return g_error_matches(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
         g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND);
}

/* Elements put the particulars ("No such file …") into the second line of the debug text. A program name and line come first there. */
static const char *particulars(const char *debug) {
  const char *line = debug != NULL ? strchr(debug, '\n') : NULL;
  return line != NULL && line[1] != '\0' ? line + 1 : NULL;
}

char *fv_error_sentence(GstMessage *message, const char *missing) {
  GError *error = NULL;
  char *debug = NULL;
  gst_message_parse_error(message, &error, &debug);
  char *text;
  if (g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_TYPE_NOT_FOUND)) {
    text = g_strdup("not a picture or video of a known format"); /* "Could not determine type of stream.", "Can't typefind stream", … */
  } else if (missing != NULL && is_missing_codec(error)) {
    text = g_strdup_printf("%s is missing: install gstreamer1.0-libav (or the gstreamer1.0-plugins package that has it)", missing);
  } else {
    gboolean said = g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE); /* "This appears to be a text file" */
    const char *more = said ? NULL : particulars(debug);
    gboolean ours = GST_IS_OBJECT(GST_MESSAGE_SRC(message)) && g_str_has_prefix(G_OBJECT_TYPE_NAME(GST_MESSAGE_SRC(message)), "GstFovea");
    gboolean covered = g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND); /* "Resource not found." before "No such file …" */
    text = more == NULL || ours ? g_strdup(error->message) : covered ? g_strdup(more) : g_strdup_printf("%s %s", error->message, more);
  }
  g_strdelimit(text, "\n\r", ' ');
  char *masked = fovea_secret_mask_uri(g_strchomp(text));
  g_free(text);
  g_free(debug);
  g_error_free(error);
  return masked;
}
