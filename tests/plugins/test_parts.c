#include "support.h"

#include <sys/mman.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <gst/allocators/gstdmabuf.h>

#include "overlay/canvas.h"
#include "detect/engine.h"
#include "detect/modelcache.h"
#include "detect/stats.h"

/* --- stats --- */

static void add_total(FoveaStats *stats, guint64 ns) {
  const guint64 times[FOVEA_STAGE_COUNT] = {0, 0, 0, ns};
  fovea_stats_add_analysis(stats, times, 2 * ns, ns);
}

static void quantiles_look_back_on_the_window(void) {
  FoveaStats stats;
  fovea_stats_init(&stats);
  g_assert_cmpuint(fovea_stats_quantile(&stats, FOVEA_STAGE_TOTAL, 0.5), ==, 0);
  for (guint64 i = 1; i <= 100; i++)
    add_total(&stats, 101 - i);
  g_assert_cmpuint(fovea_stats_quantile(&stats, FOVEA_STAGE_TOTAL, 0.5), ==, 50);
  g_assert_cmpuint(fovea_stats_quantile(&stats, FOVEA_STAGE_TOTAL, 0.95), ==, 95);
  g_assert_cmpuint(fovea_stats_quantile(&stats, FOVEA_STAGE_TOTAL, 1.0), ==, 100);
  for (guint i = 0; i < FOVEA_STATS_WINDOW; i++)
    add_total(&stats, 7);
  g_assert_cmpuint(fovea_stats_quantile(&stats, FOVEA_STAGE_TOTAL, 1.0), ==, 7);
  GstStructure *structure = gst_structure_new_empty("stats");
  guint64 uploaded = 0, read = 0;
  fovea_stats_fill(&stats, structure);
  g_assert_true(gst_structure_get_uint64(structure, "uploaded-bytes", &uploaded) && gst_structure_get_uint64(structure, "read-bytes", &read));
  g_assert_cmpuint(uploaded, ==, 14);
  g_assert_cmpuint(read, ==, 7);
  gst_structure_free(structure);
  fovea_stats_finish(&stats);
}

/* --- plans shared by elements --- */

static FoveaSharedPlan *acquire(const gchar *file, gint threads) {
  FvError err = {FV_OK, ""};
  gchar *path = test_model(file);
  FoveaSharedPlan *shared = fovea_plan_acquire(path, &fv_model_params(.config = NULL), &fv_plan_params(.device = "cpu", .threads = threads), &err);
  g_assert_cmpstr(err.message, ==, "");
  g_free(path);
  return shared;
}

static void same_settings_share_one_plan(void) {
  FoveaSharedPlan *a = acquire("tiny.onnx", 1), *b = acquire("tiny.onnx", 1), *other = acquire("tiny.onnx", 2);
  g_assert_true(fovea_plan_get(a) == fovea_plan_get(b));
  g_assert_true(fovea_plan_get(a) != fovea_plan_get(other));
  g_assert_cmpuint(fovea_plan_label_quarks(a)->len, ==, 2);
  fovea_plan_release(&a);
  g_assert_null(a);
  FoveaSharedPlan *again = acquire("tiny.onnx", 1);
  g_assert_true(again == b);
  fovea_plan_release(&again);
  fovea_plan_release(&b);
  fovea_plan_release(&other);
  fovea_plan_release(&other);
}

static gpointer acquire_in_thread(gpointer data) {
  return acquire("tiny.onnx", 1);
}

static void threads_that_come_together_get_the_same_plan(void) {
  GThread *threads[8];
  FoveaSharedPlan *plans[G_N_ELEMENTS(threads)];
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("acquire", acquire_in_thread, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++) {
    plans[i] = g_thread_join(threads[i]);
    g_assert_true(plans[i] == plans[0]);
  }
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    fovea_plan_release(&plans[i]);
}

static void changed_file_is_another_model(void) {
  gchar *from = test_model("tiny.onnx"), *description = test_model("tiny.yaml"), *data = NULL;
  gsize size = 0;
  gchar *directory = g_dir_make_tmp("fovea-cache-XXXXXX", NULL), *path = g_build_filename(directory, "model.onnx", NULL);
  FvError err = {FV_OK, ""};
  g_assert_true(g_file_get_contents(from, &data, &size, NULL));
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
  FoveaSharedPlan *before = fovea_plan_acquire(path, &fv_model_params(.config = description), &fv_plan_params(.device = "cpu", .threads = 1), &err);
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL)); /* replaces the file by a new one */
  FoveaSharedPlan *after = fovea_plan_acquire(path, &fv_model_params(.config = description), &fv_plan_params(.device = "cpu", .threads = 1), &err);
  g_assert_nonnull(before);
  g_assert_nonnull(after);
  g_assert_true(before != after);
  fovea_plan_release(&before);
  fovea_plan_release(&after);
  g_unlink(path);
  g_rmdir(directory);
  g_free(path);
  g_free(directory);
  g_free(data);
  g_free(description);
  g_free(from);
}

static void failures_are_told_and_not_remembered(void) {
  for (guint i = 0; i < 2; i++) {
    FvError err = {FV_OK, ""};
    gchar *path = test_model("garbage.onnx");
    g_assert_null(fovea_plan_acquire(path, &fv_model_params(.config = NULL), &fv_plan_params(.device = "cpu", .threads = 1), &err));
    g_assert_cmpint(err.code, <, 0);
    g_assert_cmpuint(strlen(err.message), >, 0);
    g_free(path);
  }
}

/* --- canvas --- */

/* BT.601 limited: white is 235, 128, 128; red is 82, 90, 240 (ITU-R BT.601 table). */
static void paint_follows_the_color_matrix(void) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 320, 240);
  gst_video_colorimetry_from_string(&info.colorimetry, GST_VIDEO_COLORIMETRY_BT601);
  FoveaPaint white = fovea_canvas_paint(&info, (FoveaColor){255, 255, 255}),
             red = fovea_canvas_paint(&info, (FoveaColor){255, 0, 0});
  const guint8 expected_white[] = {235, 128, 128}, expected_red[] = {81, 90, 240};
  for (guint i = 0; i < 3; i++) {
    g_assert_cmpint(white.value[i], ==, expected_white[i]);
    g_assert_cmpint(ABS(red.value[i] - expected_red[i]), <=, 1);
  }
}

static guint count_value(GstBuffer *buffer, gsize size, guint8 value) {
  guint count = 0;
  GstMapInfo map;
  gst_buffer_map(buffer, &map, GST_MAP_READ);
  for (gsize i = 0; i < size; i++)
    count += map.data[i] == value;
  gst_buffer_unmap(buffer, &map);
  return count;
}

static void fill_is_clipped_to_the_frame(void) {
  GstVideoInfo info;
  GstVideoFrame frame;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, 16, 8);
  GstBuffer *buffer = test_frame(GST_VIDEO_FORMAT_GRAY8, 16, 8, 0, 0);
  const FoveaPaint paint = {.value = {9}};
  const gint rectangles[][4] = {{-4, -4, 6, 6}, {14, 6, 100, 100}, {20, 20, 5, 5}, {3, 3, 0, 9}, {8, 4, -3, 2}};
  g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE));
  for (guint i = 0; i < G_N_ELEMENTS(rectangles); i++)
    fovea_canvas_fill(&frame, rectangles[i][0], rectangles[i][1], rectangles[i][2], rectangles[i][3], &paint);
  gst_video_frame_unmap(&frame);
  g_assert_cmpuint(count_value(buffer, 128, 9), ==, 2 * 2 + 2 * 2);
  gst_buffer_unref(buffer);
}

static void mask_mixes_ink_and_ground(void) {
  GstVideoInfo info;
  GstVideoFrame frame;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, 16, 8);
  GstBuffer *buffer = test_frame(GST_VIDEO_FORMAT_GRAY8, 16, 8, 0, 0);
  guint8 coverage[] = {0, 255, 128, 0};
  const FoveaMask mask = {.width = 3, .height = 1, .stride = 4, .coverage = coverage};
  const FoveaPaint ink = {.value = {200}}, ground = {.value = {100}};
  g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE));
  fovea_canvas_mask(&frame, 4, 2, &mask, &ink, &ground);
  fovea_canvas_mask(&frame, 15, 7, &mask, &ink, &ground);
  const guint8 *line = (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) + 2 * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0);
  g_assert_cmpint(line[3], ==, 0);
  g_assert_cmpint(line[4], ==, 100);
  g_assert_cmpint(line[5], ==, 200);
  g_assert_cmpint(line[6], ==, 150);
  g_assert_cmpint(line[7], ==, 0);
  gst_video_frame_unmap(&frame);
  gst_buffer_unref(buffer);
}

/* --- frames as the core takes them --- */

/* A bright I420 frame whose planes lie in memory that GStreamer takes for DMA buffers: a file in memory, which no device imports. */
static GstBuffer *frame_in_dma_buffers(GstVideoInfo *info, gint skip) {
  gst_video_info_set_format(info, GST_VIDEO_FORMAT_I420, 32, 24);
  GstBuffer *plain = test_frame(GST_VIDEO_FORMAT_I420, 32, 24, 255, 0);
  GstMapInfo map;
  gsize size = GST_VIDEO_INFO_SIZE(info), luma = GST_VIDEO_INFO_PLANE_OFFSET(info, 1);
  GstAllocator *allocator = gst_dmabuf_allocator_new();
  GstBuffer *buffer = gst_buffer_new();
  g_assert_true(gst_buffer_map(plain, &map, GST_MAP_READ));
  for (guint part = 0; part < 2; part++) { /* luma in one, both planes of chroma in another */
    gsize from = part ? luma : 0, bytes = part ? size - luma : luma;
    int fd = memfd_create("frame", MFD_CLOEXEC);
    g_assert_cmpint(pwrite(fd, map.data + from, bytes, skip), ==, (gssize)bytes);
    GstMemory *memory = gst_dmabuf_allocator_alloc(allocator, fd, (gsize)skip + bytes);
    gst_memory_resize(memory, skip, bytes);
    gst_buffer_append_memory(buffer, memory);
  }
  gst_buffer_unmap(plain, &map);
  gst_buffer_unref(plain);
  gst_object_unref(allocator);
  return buffer;
}

static void dma_buffers_are_found_and_mapped_when_need_be(void) {
  GstVideoInfo info;
  FoveaView view = {0};
  GstBuffer *buffer = frame_in_dma_buffers(&info, 4096);
  g_assert_true(fovea_view_open(&view, buffer, &info, TRUE, NULL));
  g_assert_false(view.mapped);
  g_assert_true(view.frame.dma == &view.dma);
  g_assert_cmpint(view.dma.fd[1], ==, view.dma.fd[2]);
  g_assert_cmpint(view.dma.fd[0], !=, view.dma.fd[1]);
  g_assert_cmpint(view.dma.offset[0], ==, 4096);
  g_assert_cmpint(view.dma.offset[2], ==, 4096 + 12 * 16);
  g_assert_cmpint(view.frame.stride[1], ==, 16);
  g_assert_cmpint(fv_frame_check(&view.frame, NULL), ==, 0);
  g_assert_true(fovea_view_map(&view));
  g_assert_null(view.frame.dma);
  g_assert_cmpint(view.frame.plane[0][0], ==, 235);
  g_assert_cmpint(view.frame.plane[2][0], ==, 128);
  fovea_view_close(&view);
  g_assert_true(fovea_view_open(&view, buffer, &info, FALSE, NULL));
  g_assert_true(view.mapped);
  fovea_view_close(&view);
  gst_buffer_unref(buffer);
  buffer = test_frame(GST_VIDEO_FORMAT_I420, 32, 24, 255, 0); /* and others are mapped at once */
  g_assert_true(fovea_view_open(&view, buffer, &info, TRUE, NULL));
  g_assert_true(view.mapped);
  fovea_view_close(&view);
  gst_buffer_unref(buffer);
}

static void engine_maps_what_its_device_cannot_import(void) {
  FvError err = {FV_OK, ""};
  GstVideoInfo info;
  FoveaView view = {0};
  FoveaEngineSettings settings = {.model = test_model("tiny.onnx"), .device = g_strdup("cpu"), .threads = 1};
  FoveaEngine *engine = fovea_engine_new(&settings, &err);
  g_assert_cmpstr(err.message, ==, "");
  GArray *objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  GstBuffer *buffer = frame_in_dma_buffers(&info, 0);
  g_assert_false(fovea_engine_imports_dma(engine));
  g_assert_true(fovea_view_open(&view, buffer, &info, TRUE, NULL));
  g_assert_cmpint(fovea_engine_detect(engine, &view, &(FvDetectParams){.threshold = 0.5f}, objects, &err), >, 0);
  g_assert_true(view.mapped);
  g_assert_cmpuint(objects->len, >, 0);
  fovea_view_close(&view);
  gst_buffer_unref(buffer);
  g_array_unref(objects);
  fovea_engine_free(engine);
  fovea_engine_settings_finish(&settings);
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/plugins/stats/quantiles-look-back-on-the-window", quantiles_look_back_on_the_window);
  g_test_add_func("/plugins/plans/same-settings-share-one", same_settings_share_one_plan);
  g_test_add_func("/plugins/plans/threads-that-come-together-get-the-same", threads_that_come_together_get_the_same_plan);
  g_test_add_func("/plugins/plans/changed-file-is-another-model", changed_file_is_another_model);
  g_test_add_func("/plugins/plans/failures-are-told-and-not-remembered", failures_are_told_and_not_remembered);
  g_test_add_func("/plugins/canvas/paint-follows-the-color-matrix", paint_follows_the_color_matrix);
  g_test_add_func("/plugins/canvas/fill-is-clipped-to-the-frame", fill_is_clipped_to_the_frame);
  g_test_add_func("/plugins/canvas/mask-mixes-ink-and-ground", mask_mixes_ink_and_ground);
  g_test_add_func("/plugins/view/dma-buffers-are-found-and-mapped-when-need-be", dma_buffers_are_found_and_mapped_when_need_be);
  g_test_add_func("/plugins/view/engine-maps-what-its-device-cannot-import", engine_maps_what_its_device_cannot_import);
  return g_test_run();
}
