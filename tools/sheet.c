#include "sheet.h"

#include <cairo.h>
#include <math.h>

#include "picture.h"

#define TARGET_WIDTH 1920 /* pixels of a sheet; cells are never larger than the frames, so that nothing is blown up */
#define MIN_CELL 32
#define GAP 4             /* around every cell */
#define GROUND 0.13       /* grey */

#if G_BYTE_ORDER == G_LITTLE_ENDIAN /* what cairo calls RGB24: a word of 0x00RRGGBB */
#define CELL_FORMAT GST_VIDEO_FORMAT_BGRx
#else
#define CELL_FORMAT GST_VIDEO_FORMAT_xRGB
#endif

typedef struct Cell {
  cairo_surface_t *picture;
  GstClockTime time;
} Cell;

/* Every stride-th frame is kept. When four times as many are there as the sheet shows, every second one goes and the stride doubles: in the end there are two to four for
 * each place, so that those shown lie nearly evenly. */
struct FvSheet {
  FvSheetGrid grid;
  GArray *cells; /* of Cell */
  guint64 seen, stride;
  GstCaps *caps; /* that converter is for */
  GstVideoInfo from, to;
  GstVideoConverter *converter;
};

gboolean fv_sheet_grid_parse(const char *text, FvSheetGrid *grid) {
  char *end;
  if (!g_ascii_isdigit(text[0])) return FALSE;
  guint64 columns = g_ascii_strtoull(text, &end, 10);
  if (*end != 'x' || !g_ascii_isdigit(end[1])) return FALSE;
  guint64 rows = g_ascii_strtoull(end + 1, &end, 10);
  if (*end != '\0' || columns < 1 || columns > FV_SHEET_MAX_SIDE || rows < 1 || rows > FV_SHEET_MAX_SIDE) return FALSE;
  *grid = (FvSheetGrid){(int)columns, (int)rows};
  return TRUE;
}

static void clear_cell(gpointer data) { cairo_surface_destroy(((Cell *)data)->picture); }

FvSheet *fv_sheet_new(FvSheetGrid grid) {
  FvSheet *sheet = g_new0(FvSheet, 1);
  sheet->grid = grid;
  sheet->stride = 1;
  sheet->cells = g_array_new(FALSE, FALSE, sizeof(Cell));
  g_array_set_clear_func(sheet->cells, clear_cell);
  return sheet;
}

void fv_sheet_free(FvSheet *sheet) {
  if (sheet == NULL) return;
  g_array_unref(sheet->cells);
  gst_clear_caps(&sheet->caps);
  g_clear_pointer(&sheet->converter, gst_video_converter_free);
  g_free(sheet);
}

/* Height of a cell so that the picture keeps its shape, which pixels that are not square change. */
static int cell_height(const GstVideoInfo *from, int width) {
  double tall = (double)from->height * from->par_d, wide = (double)from->width * from->par_n;
  return CLAMP((int)lrint(width * tall / wide), MIN_CELL, 4 * width + MIN_CELL);
}

static gboolean set_caps(FvSheet *sheet, GstCaps *caps) {
  if (sheet->caps != NULL && gst_caps_is_equal(sheet->caps, caps)) return sheet->converter != NULL;
  g_clear_pointer(&sheet->converter, gst_video_converter_free);
  gst_caps_replace(&sheet->caps, caps);
  if (!gst_video_info_from_caps(&sheet->from, caps)) return FALSE;
  if (sheet->to.finfo == NULL) {
    int width = CLAMP(TARGET_WIDTH / sheet->grid.columns, MIN_CELL, MAX(sheet->from.width, MIN_CELL));
    gst_video_info_set_format(&sheet->to, CELL_FORMAT, (guint)width, (guint)cell_height(&sheet->from, width));
  }
  sheet->to.fps_n = sheet->from.fps_n; /* converters change no rates */
  sheet->to.fps_d = sheet->from.fps_d;
  sheet->converter = gst_video_converter_new(&sheet->from, &sheet->to, NULL);
  return sheet->converter != NULL;
}

static cairo_surface_t *copy_picture(FvSheet *sheet, GstBuffer *buffer) {
  GstVideoFrame from, to;
  if (!gst_video_frame_map(&from, &sheet->from, buffer, GST_MAP_READ)) return NULL;
  GstBuffer *cell = gst_buffer_new_allocate(NULL, sheet->to.size, NULL);
  cairo_surface_t *picture = cairo_image_surface_create(CAIRO_FORMAT_RGB24, sheet->to.width, sheet->to.height);
  gst_video_frame_map(&to, &sheet->to, cell, GST_MAP_READWRITE);
  gst_video_converter_frame(sheet->converter, &from, &to);
  for (int y = 0; y < sheet->to.height; y++)
    memcpy(cairo_image_surface_get_data(picture) + (gssize)y * cairo_image_surface_get_stride(picture),
           (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&to, 0) + (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&to, 0), (gsize)sheet->to.width * 4);
  cairo_surface_mark_dirty(picture);
  gst_video_frame_unmap(&to);
  gst_video_frame_unmap(&from);
  gst_buffer_unref(cell);
  return picture;
}

static void thin(FvSheet *sheet) {
  for (guint i = 1; i < sheet->cells->len; i++) g_array_remove_index(sheet->cells, i); /* what was the next one moves to i, and i goes beyond it */
  sheet->stride *= 2;
}

void fv_sheet_add(FvSheet *sheet, GstBuffer *frame, GstCaps *caps, GstClockTime time) {
  if (sheet->seen++ % sheet->stride != 0 || !set_caps(sheet, caps)) return;
  Cell cell = {copy_picture(sheet, frame), time};
  if (cell.picture == NULL) return;
  g_array_append_val(sheet->cells, cell);
  if (sheet->cells->len >= 4 * (guint)(sheet->grid.columns * sheet->grid.rows)) thin(sheet);
}

static void draw_time(cairo_t *cairo, double x, double y, double height, GstClockTime time) {
  char text[32];
  guint64 tenths = time / (GST_SECOND / 10);
  cairo_text_extents_t size;
  if (!GST_CLOCK_TIME_IS_VALID(time)) return;
  g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT ":%02u.%u", tenths / 600, (unsigned)(tenths / 10 % 60), (unsigned)(tenths % 10));
  cairo_set_font_size(cairo, CLAMP(height / 20, 10, 24));
  cairo_text_extents(cairo, text, &size);
  double margin = ceil(size.height / 2), box = size.height + 2 * margin;
  cairo_set_source_rgba(cairo, 0, 0, 0, 0.6);
  cairo_rectangle(cairo, x, y + height - box, size.x_advance + 2 * margin, box);
  cairo_fill(cairo);
  cairo_set_source_rgb(cairo, 1, 1, 1);
  cairo_move_to(cairo, x + margin, y + height - margin);
  cairo_show_text(cairo, text);
}

static cairo_surface_t *compose(const FvSheet *sheet) {
  int columns = sheet->grid.columns, rows = sheet->grid.rows, width = sheet->to.width, height = sheet->to.height;
  guint places = (guint)(columns * rows), shown = MIN(places, sheet->cells->len);
  cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns * (width + GAP) + GAP, rows * (height + GAP) + GAP);
  cairo_t *cairo = cairo_create(surface);
  cairo_set_source_rgb(cairo, GROUND, GROUND, GROUND);
  cairo_paint(cairo);
  cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  for (guint i = 0; i < shown; i++) { /* the middle one of each place's share */
    const Cell *cell = &g_array_index(sheet->cells, Cell, (2 * i + 1) * sheet->cells->len / (2 * shown));
    int x = GAP + (int)i % columns * (width + GAP), y = GAP + (int)i / columns * (height + GAP);
    cairo_set_source_surface(cairo, cell->picture, x, y);
    cairo_paint(cairo);
    draw_time(cairo, x, y, height, cell->time);
  }
  cairo_destroy(cairo);
  cairo_surface_flush(surface);
  return surface;
}

/* Pixels of a surface as those that picture files are written from. */
static guint8 *to_rgb(cairo_surface_t *surface, int width, int height) {
  guint8 *rgb = g_malloc((gsize)width * height * 3), *to = rgb;
  for (int y = 0; y < height; y++) {
    const guint32 *from = (const guint32 *)(gconstpointer)(cairo_image_surface_get_data(surface) + (gssize)y * cairo_image_surface_get_stride(surface));
    for (int x = 0; x < width; x++, to += 3) {
      to[0] = (guint8)(from[x] >> 16);
      to[1] = (guint8)(from[x] >> 8);
      to[2] = (guint8)from[x];
    }
  }
  return rgb;
}

int fv_sheet_write(const FvSheet *sheet, const char *path, FvError *err) {
  if (sheet->cells->len == 0) return fv_error_set(err, FV_ERR_FORMAT, "%s: no frame could be read for the contact sheet", path);
  cairo_surface_t *surface = compose(sheet);
  int width = cairo_image_surface_get_width(surface), height = cairo_image_surface_get_height(surface), result;
  if (cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS) {
    guint8 *rgb = to_rgb(surface, width, height);
    FvFrame frame = {FV_FORMAT_RGB, width, height, {rgb}, {width * 3}};
    result = fv_picture_write(path, &frame, err);
    g_free(rgb);
  } else {
    result = fv_error_set(err, FV_ERR_LIMIT, "%s: a contact sheet of such frames is too large", path);
  }
  cairo_surface_destroy(surface);
  return result;
}
