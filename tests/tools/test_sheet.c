/* Contact sheets: frames spread evenly over a video of any length, in cells of the right size, and grids from text. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "picture.h"
#include "sheet.h"

#define GAP 4

static const struct {
  const char *text;
  FvSheetGrid grid; /* 0: refused */
} grids[] = {
  {"3x3", {3, 3}}, {"1x8", {1, 8}}, {"8x1", {8, 1}}, {"", {0}}, {"3", {0}}, {"3x", {0}}, {"x3", {0}}, {"0x3", {0}}, {"3x0", {0}}, {"9x3", {0}}, {"3x9", {0}},
  {"-3x3", {0}}, {"3x+3", {0}}, {"3 x3", {0}}, {"3x3x3", {0}}, {"3x 3", {0}}, {"18446744073709551617x3", {0}},
};

static void test_grids(void) {
  for (guint i = 0; i < G_N_ELEMENTS(grids); i++) {
    FvSheetGrid grid = {0};
    g_test_message("'%s'", grids[i].text);
    g_assert_cmpint(fv_sheet_grid_parse(grids[i].text, &grid), ==, grids[i].grid.columns > 0);
    g_assert_true(grid.columns == grids[i].grid.columns && grid.rows == grids[i].grid.rows);
  }
}

static GstCaps *grey_caps(int width, int height, const char *aspect) {
  char *text = g_strdup_printf("video/x-raw,format=RGB,width=%d,height=%d,framerate=25/1,pixel-aspect-ratio=%s", width, height, aspect);
  GstCaps *caps = gst_caps_from_string(text);
  g_free(text);
  return caps;
}

/* Frame i of count is grey i * 200 / count, so that a cell tells which frame it shows. */
static void add_frames(FvSheet *sheet, GstCaps *caps, int count) {
  GstVideoInfo info;
  g_assert_true(gst_video_info_from_caps(&info, caps));
  for (int i = 0; i < count; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, info.size, NULL);
    gst_buffer_memset(buffer, 0, (guint8)(i * 200 / count), info.size);
    fv_sheet_add(sheet, buffer, caps, (GstClockTime)i * 40 * GST_MSECOND);
    gst_buffer_unref(buffer);
  }
}

static FvPicture write_and_read(const FvSheet *sheet) {
  char *folder = g_dir_make_tmp("fovea-sheet-XXXXXX", NULL), *path = g_build_filename(folder, "sheet.png", NULL);
  FvPicture picture;
  FvError err;
  if (fv_sheet_write(sheet, path, &err) < 0 || fv_picture_read(path, false, &picture, &err) < 0) g_error("%s", err.message);
  g_unlink(path);
  g_rmdir(folder);
  g_free(path);
  g_free(folder);
  return picture;
}

static int brightness(const FvFrame *frame, int x, int y) { return frame->plane[0][(gssize)y * frame->stride[0] + x * 3]; }

/* The middle of the upper half of each cell, away from the time below. */
static int cell_brightness(const FvFrame *frame, FvSheetGrid grid, int index) {
  int width = (frame->width - GAP) / grid.columns, height = (frame->height - GAP) / grid.rows;
  return brightness(frame, GAP + index % grid.columns * width + width / 2, GAP + index / grid.columns * height + height / 4);
}

static void test_spread(gconstpointer data) {
  int count = GPOINTER_TO_INT(data);
  FvSheetGrid grid = {3, 2};
  FvSheet *sheet = fv_sheet_new(grid);
  GstCaps *caps = grey_caps(64, 48, "1/1");
  add_frames(sheet, caps, count);
  FvPicture picture = write_and_read(sheet);
  FvFrame frame = fv_picture_frame(&picture);
  g_assert_true(frame.width == 3 * (64 + GAP) + GAP && frame.height == 2 * (48 + GAP) + GAP);
  for (int i = 0; i < 6; i++) { /* where the i-th of six equal parts has its middle, give or take half a part, and a frame */
    int wanted = (2 * i + 1) * 200 / 12, got = cell_brightness(&frame, grid, i);
    g_test_message("cell %d: %d, about %d", i, got, wanted);
    g_assert_cmpint(ABS(got - wanted), <=, 17 + 200 / count);
  }
  fv_picture_release(&picture);
  gst_caps_unref(caps);
  fv_sheet_free(sheet);
}

static void test_few_frames(void) {
  FvSheetGrid grid = {3, 3};
  FvSheet *sheet = fv_sheet_new(grid);
  GstCaps *caps = grey_caps(64, 48, "1/1");
  add_frames(sheet, caps, 2);
  FvPicture picture = write_and_read(sheet);
  FvFrame frame = fv_picture_frame(&picture);
  g_assert_cmpint(frame.height, ==, 3 * (48 + GAP) + GAP);
  g_assert_cmpint(cell_brightness(&frame, grid, 0), <, 10);
  g_assert_cmpint(cell_brightness(&frame, grid, 1), >, 90);
  g_assert_cmpint(cell_brightness(&frame, grid, 2), ==, brightness(&frame, 0, 0)); /* empty */
  fv_picture_release(&picture);
  gst_caps_unref(caps);
  fv_sheet_free(sheet);
}

/* Large frames become small enough for a screen, and keep their shape; so do those whose pixels are not square. */
static void test_sizes(void) {
  static const struct { int width, height; const char *aspect; FvSheetGrid grid; int cell_width, cell_height; } sizes[] = {
    {1920, 1080, "1/1", {3, 3}, 640, 360}, {1920, 1080, "1/1", {1, 1}, 1920, 1080}, {640, 360, "1/1", {8, 1}, 240, 135}, {360, 640, "1/1", {2, 1}, 360, 640},
    {704, 576, "12/11", {2, 2}, 704, 528}, {16, 16, "1/1", {1, 1}, 32, 32}, {32, 2000, "1/1", {1, 1}, 32, 160},
  };
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    FvSheet *sheet = fv_sheet_new(sizes[i].grid);
    GstCaps *caps = grey_caps(sizes[i].width, sizes[i].height, sizes[i].aspect);
    add_frames(sheet, caps, 1);
    FvPicture picture = write_and_read(sheet);
    FvFrame frame = fv_picture_frame(&picture);
    g_test_message("%dx%d", sizes[i].width, sizes[i].height);
    g_assert_cmpint(frame.width, ==, sizes[i].grid.columns * (sizes[i].cell_width + GAP) + GAP);
    g_assert_cmpint(frame.height, ==, sizes[i].grid.rows * (sizes[i].cell_height + GAP) + GAP);
    fv_picture_release(&picture);
    gst_caps_unref(caps);
    fv_sheet_free(sheet);
  }
}

/* Cells keep the size of the first frame when the video changes its own. */
static void test_change(void) {
  FvSheetGrid grid = {2, 1};
  FvSheet *sheet = fv_sheet_new(grid);
  GstCaps *small = grey_caps(64, 48, "1/1"), *large = grey_caps(128, 96, "1/1");
  add_frames(sheet, small, 1);
  add_frames(sheet, large, 1);
  FvPicture picture = write_and_read(sheet);
  FvFrame frame = fv_picture_frame(&picture);
  g_assert_true(frame.width == 2 * (64 + GAP) + GAP && frame.height == 48 + 2 * GAP);
  fv_picture_release(&picture);
  gst_caps_unref(small);
  gst_caps_unref(large);
  fv_sheet_free(sheet);
}

static void test_nothing(void) {
  FvSheet *sheet = fv_sheet_new((FvSheetGrid){3, 3});
  GstCaps *caps = gst_caps_new_empty_simple("video/x-raw");
  GstBuffer *buffer = gst_buffer_new();
  FvError err;
  fv_sheet_add(sheet, buffer, caps, GST_CLOCK_TIME_NONE); /* caps that say nothing */
  g_assert_cmpint(fv_sheet_write(sheet, "/nowhere/sheet.png", &err), ==, FV_ERR_FORMAT);
  gst_buffer_unref(buffer);
  gst_caps_unref(caps);
  fv_sheet_free(sheet);
  fv_sheet_free(NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  gst_init(NULL, NULL);
  g_test_add_func("/sheet/grids-from-text", test_grids);
  static const int counts[] = {6, 7, 23, 24, 25, 100, 1000};
  for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
    char *name = g_strdup_printf("/sheet/spread-over-%d-frames", counts[i]);
    g_test_add_data_func(name, GINT_TO_POINTER(counts[i]), test_spread);
    g_free(name);
  }
  g_test_add_func("/sheet/fewer-frames-than-cells", test_few_frames);
  g_test_add_func("/sheet/cells-keep-the-shape", test_sizes);
  g_test_add_func("/sheet/a-video-that-changes-its-size", test_change);
  g_test_add_func("/sheet/no-frame", test_nothing);
  return g_test_run();
}
