/* Real clips, through whole pipelines: the same pictures as libavcodec's other element, seeks, and taking its place when asked to. */
#include "clips.h"

static gchar *clip_path(const gchar *name) {
  const gchar *shared = g_getenv("FOVEA_SHARED_DIR");
  gchar *path = shared ? g_build_filename(shared, "media", "clips", name, NULL) : NULL;
  if (path && g_file_test(path, G_FILE_TEST_EXISTS))
    return path;
  g_free(path);
  g_test_skip("the shared clips are not there");
  return NULL;
}

typedef struct Run {
  GPtrArray *sums; /* "pts md5" of what came, in order */
  GstElement *pipeline;
  GMutex lock;
} Run;

static void on_picture(GstElement *sink, GstBuffer *buffer, GstPad *pad, Run *run) {
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
  GstVideoInfo info;
  g_assert_true(gst_video_info_from_caps(&info, caps));
  g_autofree gchar *sum = test_checksum(buffer, &info);
  g_mutex_lock(&run->lock);
  g_ptr_array_add(run->sums, g_strdup_printf("%" G_GUINT64_FORMAT " %s", GST_BUFFER_PTS(buffer), sum));
  g_mutex_unlock(&run->lock);
}

static Run *run_new(const gchar *path, const gchar *chain) {
  Run *run = g_new0(Run, 1);
  GError *error = NULL;
  g_mutex_init(&run->lock);
  run->sums = g_ptr_array_new_with_free_func(g_free);
  g_autofree gchar *text = g_strdup_printf("filesrc location=\"%s\" ! %s ! fakesink name=sink sync=false signal-handoffs=true", path, chain);
  run->pipeline = gst_parse_launch(text, &error);
  g_assert_no_error(error);
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(run->pipeline), "sink");
  g_signal_connect(sink, "handoff", G_CALLBACK(on_picture), run);
  return run;
}

static void run_free(Run *run) {
  gst_element_set_state(run->pipeline, GST_STATE_NULL);
  gst_object_unref(run->pipeline);
  g_ptr_array_unref(run->sums);
  g_mutex_clear(&run->lock);
  g_free(run);
}

static void run_until(Run *run, GstMessageType type) {
  g_autoptr(GstBus) bus = gst_element_get_bus(run->pipeline);
  g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(bus, 120 * GST_SECOND, type | GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    g_autofree gchar *debug = NULL;
    gst_message_parse_error(message, NULL, &debug);
    g_error("%s", debug);
  }
}

static void run_all(Run *run) {
  gst_element_set_state(run->pipeline, GST_STATE_PLAYING);
  run_until(run, GST_MESSAGE_EOS);
}

typedef struct RealClip {
  const gchar *file, *parts, *reference;
} RealClip;

static const RealClip real[] = {
  {"person-bicycle-car_preview.mp4", "qtdemux ! h264parse", "avdec_h264"},
  {"parking_lot_scan.mp4", "qtdemux ! h264parse", "avdec_h264"},
  {"asl_walk.mkv", "matroskademux ! h264parse", "avdec_h264"},
};

static void decodes_a_real_clip(gconstpointer data) {
  const RealClip *clip = data;
  g_autofree gchar *path = clip_path(clip->file), *ours = g_strconcat(clip->parts, " ! foveadecode", NULL),
                   *other = g_strconcat(clip->parts, " ! ", clip->reference, NULL);
  if (!path || test_skips_without(other))
    return;
  Run *a = run_new(path, ours), *b = run_new(path, other);
  run_all(a);
  run_all(b);
  g_assert_cmpuint(a->sums->len, ==, b->sums->len);
  for (guint i = 0; i < a->sums->len; i++)
    g_assert_cmpstr(a->sums->pdata[i], ==, b->sums->pdata[i]);
  run_free(a);
  run_free(b);
}

/* After an accurate seek: the picture of that time, as an unbroken run has it, and all that follow. */
static void seeks(void) {
  g_autofree gchar *path = clip_path("parking_lot_scan.mp4");
  const gchar *chain = "qtdemux ! h264parse ! foveadecode";
  if (!path || test_skips_without(chain))
    return;
  Run *whole = run_new(path, chain), *run = run_new(path, chain);
  run_all(whole);
  gst_element_set_state(run->pipeline, GST_STATE_PAUSED);
  run_until(run, GST_MESSAGE_ASYNC_DONE);
  static const guint starts[] = {9000, 2500, 12345, 0, 7001}; /* ms */
  for (guint i = 0; i < G_N_ELEMENTS(starts); i++) {
    gst_element_set_state(run->pipeline, GST_STATE_PAUSED);
    gst_element_get_state(run->pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    g_assert_true(gst_element_seek_simple(run->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, starts[i] * GST_MSECOND));
    gst_element_get_state(run->pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    g_mutex_lock(&run->lock); /* what came before the flush goes; the picture that waits in the sink is handed out anew when it plays */
    g_ptr_array_set_size(run->sums, 0);
    g_mutex_unlock(&run->lock);
    gst_element_set_state(run->pipeline, GST_STATE_PLAYING);
    run_until(run, GST_MESSAGE_EOS);
    g_assert_cmpuint(run->sums->len, >, 50);
    guint skipped = whole->sums->len - run->sums->len;
    /* The first may have begun before the seek's time, and then starts with it; the others are the same to the nanosecond. */
    g_assert_cmpstr(strchr(run->sums->pdata[0], ' '), ==, strchr(whole->sums->pdata[skipped], ' '));
    for (guint p = 1; p < run->sums->len; p++)
      g_assert_cmpstr(run->sums->pdata[p], ==, whole->sums->pdata[skipped + p]);
    GstClockTime first = g_ascii_strtoull(run->sums->pdata[0], NULL, 10);
    g_assert_cmpuint(first + 34 * GST_MSECOND, >=, starts[i] * GST_MSECOND);
    g_assert_cmpuint(first, <=, starts[i] * GST_MSECOND + 70 * GST_MSECOND); /* the clip's first picture is at two of its pictures' time */
  }
  run_free(whole);
  run_free(run);
}

/* foveasrc leaves the thinning to the decoder: 377 pictures of 12.5 a second are 151 of 5, whose rhythm is not one of its own. */
static void thins_for_the_source(void) {
  g_autofree gchar *path = clip_path("car-detection.mp4");
  if (!path)
    return;
  g_autofree gchar *chain = g_strdup_printf("fakesink foveasrc uri=\"file://%s\" decoder=foveadecode max-fps=5", path);
  Run *run = run_new(path, chain);
  run_all(run);
  g_assert_cmpuint(run->sums->len, ==, 151);
  run_free(run);
}

static gboolean uses(GstElement *bin, const gchar *factory) {
  GstIterator *all = gst_bin_iterate_recurse(GST_BIN(bin));
  GValue item = G_VALUE_INIT;
  gboolean found = FALSE;
  while (gst_iterator_next(all, &item) == GST_ITERATOR_OK) {
    GstElementFactory *made_by = gst_element_get_factory(g_value_get_object(&item));
    found |= made_by && g_str_equal(GST_OBJECT_NAME(made_by), factory);
    g_value_reset(&item);
  }
  gst_iterator_free(all);
  return found;
}

/* By itself decodebin takes others; a rank, given by a program or by GST_PLUGIN_FEATURE_RANK, is all that it takes. */
static void stands_in_when_asked(void) {
  g_autofree gchar *path = clip_path("person-bicycle-car_preview.mp4");
  if (!path || test_skips_without("decodebin ! avdec_h264"))
    return;
  g_autoptr(GstPluginFeature) feature = gst_registry_find_feature(gst_registry_get(), "foveadecode", GST_TYPE_ELEMENT_FACTORY);
  g_assert_cmpuint(gst_plugin_feature_get_rank(feature), ==, GST_RANK_NONE);
  for (guint asked = 0; asked < 2; asked++) {
    gst_plugin_feature_set_rank(feature, asked ? GST_RANK_PRIMARY + 100 : GST_RANK_NONE);
    Run *run = run_new(path, "decodebin");
    gst_element_set_state(run->pipeline, GST_STATE_PAUSED);
    run_until(run, GST_MESSAGE_ASYNC_DONE);
    g_assert_cmpint(uses(run->pipeline, "foveadecode"), ==, asked);
    run_free(run);
  }
  gst_plugin_feature_set_rank(feature, GST_RANK_NONE);
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(real); i++) {
    g_autofree gchar *path = g_strconcat("/decode/clips/", real[i].file, NULL);
    g_test_add_data_func(path, &real[i], decodes_a_real_clip);
  }
  g_test_add_func("/decode/clips/seeks", seeks);
  g_test_add_func("/decode/clips/source", thins_for_the_source);
  g_test_add_func("/decode/clips/rank", stands_in_when_asked);
  return g_test_run();
}
