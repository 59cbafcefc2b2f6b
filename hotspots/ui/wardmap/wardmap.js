/*
 * The ward map in the browser: draws a GeoJSON file of wards with Leaflet, colours them by class,
 * and tells the server which ward was clicked. live_map.py mounts it and documents the data.
 *
 * This module is loaded once per browser page. What it remembers (styles, geometry, and per map
 * the picture and the view) outlives the element, so a rerun or a change of page fetches nothing.
 *
 * Text from data reaches the page through textContent only, never as markup.
 */

// Up to here wards are SVG paths, above it they go on a canvas. Measured: no difference for 168
// wards; 3,321 wards are drawn 1 to 2 s sooner on a canvas and a zoom step blocks half as long.
const SVG_WARDS = 1000;
// A lost click (server restarted, network down) must not hold the selection for ever.
const ANSWER_WITHIN_MS = 10_000;
// Two wards belong together when the gap between them is under this share of the median distance
// from the middle. A far island is then left out of the first view, a suburb never is.
const NEAR_SHARE = 0.25;
const CORE_REACH = 2.5; // of the small wards' median distance from their middle
const CORE_FROM_WARDS = 30;

const BORDER_PX = 0.8;

const stylesheets = new Map(); // url -> promise of a CSSStyleSheet
const geometries = new Map(); // url -> promise of the wards and their extents
const memories = new Map(); // key of a map -> {picture, view, selected, waiting}
const mounted = new WeakMap(); // parent element -> WardMap

export default function show({ data, parentElement, setTriggerValue }) {
  let wardMap = mounted.get(parentElement);
  if (wardMap && wardMap.key !== data.key) {
    wardMap.remove();
    wardMap = undefined;
  }
  if (!wardMap) {
    wardMap = new WardMap(parentElement, data.key);
    mounted.set(parentElement, wardMap);
  }
  const turn = wardMap.update(data, setTriggerValue);
  // Streamlit also calls the clean-up of a call that was overtaken by a newer one while its
  // module was loading. Only the newest may take the map down.
  return () => {
    if (turn === wardMap.turn) {
      wardMap.remove();
      mounted.delete(parentElement);
    }
  };
}

class WardMap {
  constructor(parent, key) {
    this.parent = parent;
    this.key = key;
    this.turn = 0;
    this.root = parent.querySelector(".wardmap");
    this.root.replaceChildren();
    this.root.dataset.ready = "false";
    this.canvas = this.root.appendChild(element("div", "wardmap-canvas"));
    this.message = this.root.appendChild(element("div", "wardmap-message"));
    // Leaflet focuses the map when it is pressed: the page must not jump, nor a focus ring appear.
    this.canvas.focus = () => {
      this.canvas.dataset.pressed = "true";
      HTMLElement.prototype.focus.call(this.canvas, { preventScroll: true });
    };
    this.canvas.addEventListener("blur", () => delete this.canvas.dataset.pressed);
    // The same as a click on the ward, for wards on a canvas, which have no element of their own.
    this.root.addEventListener("wardmap-click", (event) => this.click(event.detail));
    if (!memories.has(key)) memories.set(key, { view: { fit: "main" } });
    this.memory = memories.get(key);
  }

  update(data, setTriggerValue) {
    this.data = data;
    this.send = (click) => setTriggerValue("click", click);
    this.turn += 1;
    this.root.style.height = `${data.height}px`;
    if (data.picture) this.memory.picture = readPicture(data.version, data.picture);
    if (this.memory.picture?.version === data.version) this.draw(this.turn);
    else this.send({ code: null, number: null, version: null }); // asks for the whole picture
    return this.turn;
  }

  async draw(turn) {
    const { leaflet, styles, geometry } = this.data;
    try {
      const [L, wards] = await Promise.all([
        import(absolute(leaflet)),
        remembered(geometries, geometry, fetchGeometry),
        this.dress(styles),
      ]);
      if (turn !== this.turn) return;
      if (!this.map) this.createMap(L);
      const isNew = this.drawn !== geometry;
      if (isNew) this.drawWards(wards, geometry);
      this.paint();
      if (isNew) this.showView();
      this.followSelection();
      this.say("");
      this.root.dataset.ready = "true";
    } catch (error) {
      console.warn("The ward map could not be drawn.", error);
      if (turn === this.turn) this.say(this.memory.picture.texts.failed);
    }
  }

  async dress(urls) {
    const sheets = urls.map((url) => remembered(stylesheets, url, fetchStyles));
    this.parent.adoptedStyleSheets = await Promise.all(sheets);
  }

  // ---- the map and what stands on it -------------------------------------------------------

  createMap(L) {
    const { texts } = this.memory.picture;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.L = L;
    this.map = L.map(this.canvas, {
      attributionControl: false,
      zoomControl: false,
      doubleClickZoom: false, // two quick clicks are two clicks on a ward
      scrollWheelZoom: false, // the wheel scrolls the page until the map has the focus
      maxZoom: 17,
      zoomSnap: 0.25,
      zoomDelta: 0.5,
      wheelPxPerZoomLevel: 120,
      fadeAnimation: !calm,
      zoomAnimation: !calm,
    });
    this.root.addEventListener("focusin", () => this.map?.scrollWheelZoom.enable());
    this.root.addEventListener("focusout", () => this.map?.scrollWheelZoom.disable());
    if (texts.label) this.canvas.setAttribute("aria-label", texts.label);
    L.control.zoom({ zoomInTitle: texts.zoom_in, zoomOutTitle: texts.zoom_out }).addTo(this.map);

    this.map.createPane("wardmap-outlines").style.zIndex = 450;
    const renderer = L.svg({ pane: "wardmap-outlines", padding: 0.5 });
    const outline = (className) =>
      L.polygon([], { renderer, className, fill: false, interactive: false }).addTo(this.map);
    this.outlines = {
      hovered: [outline("wardmap-hovered")],
      selected: [outline("wardmap-casing"), outline("wardmap-selected")],
    };
    this.symbols = this.map.getPane("markerPane").appendChild(element("div", "wardmap-symbols"));
    this.map.on("zoomend viewreset", () => {
      this.placeSymbols();
      this.thinBorders();
    });

    this.map.on("moveend", () => this.rememberView());
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.canvas);
  }

  drawWards(wards, url) {
    this.group?.remove();
    this.layers = new Map();
    this.wards = wards;
    this.drawn = url;
    const onSvg = wards.features.length <= SVG_WARDS;
    const padding = 0.3;
    this.group = this.L.geoJSON(wards, {
      renderer: onSvg ? this.L.svg({ padding }) : this.L.canvas({ padding }),
      style: { weight: BORDER_PX, opacity: 1, fillOpacity: 1 },
      onEachFeature: (feature, layer) => {
        this.layers.set(String(feature.id), layer);
        layer.on("add", () => this.label(layer));
      },
    });
    this.group.addTo(this.map);
    this.group.on("click", (event) => this.click(String(event.propagatedFrom.feature.id)));
    this.group.on("mouseover", (event) => this.outline("hovered", event.propagatedFrom));
    this.group.on("mouseout", () => this.outline("hovered", null));
    this.group.bindTooltip((layer) => this.tooltip(layer.feature), {
      sticky: true,
      opacity: 1,
      direction: "top",
      offset: [0, -10],
      className: "wardmap-tooltip",
    });
    this.addFitButtons();
    this.painted = null;
    this.weight = BORDER_PX;
  }

  // Marks the SVG path of a ward, for tests and style sheets.
  label(layer) {
    const path = layer.getElement?.();
    if (!path) return;
    const code = String(layer.feature.id);
    path.dataset.code = code;
    path.dataset.class = this.memory.picture.classOf(code).key;
  }

  addFitButtons() {
    const { texts } = this.memory.picture;
    const buttons = element("div", "leaflet-bar wardmap-fit");
    buttons.append(this.fitButton("main", texts.fit_main, "M2 7.5 8 2.5l6 5M4 6.5v7h8v-7"));
    if (this.wards.far) {
      const corners = "M6 2H2v4M10 2h4v4M6 14H2v-4M10 14h4v-4";
      buttons.append(this.fitButton("all", texts.fit_all, corners));
    }
    if (this.wards.core) {
      const target = "M8 1.5v4M8 10.5v4M1.5 8h4M10.5 8h4M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6";
      buttons.append(this.fitButton("core", texts.fit_core, target));
    }
    this.L.DomEvent.disableClickPropagation(buttons);
    this.fitControl?.remove();
    this.fitControl = this.control("topleft", buttons);
  }

  fitButton(extent, title, path) {
    const button = element("button", "wardmap-button");
    button.type = "button";
    button.title = title;
    button.setAttribute("aria-label", title);
    button.append(icon(path));
    button.addEventListener("click", () => {
      this.memory.view = { fit: extent };
      this.showView();
    });
    return button;
  }

  control(position, content) {
    const control = new this.L.Control({ position });
    control.onAdd = () => content;
    return control.addTo(this.map);
  }

  say(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
  }

  // ---- colours, symbols, legend ------------------------------------------------------------

  paint() {
    const { picture } = this.memory;
    const theme = getComputedStyle(this.root);
    const border = theme.getPropertyValue("--wardmap-border").trim();
    const neutral = theme.getPropertyValue("--wardmap-neutral").trim();
    const look = [picture.version, border, neutral].join();
    if (look === this.painted) return;
    for (const [code, layer] of this.layers) {
      const fillColor = picture.classOf(code).colour || neutral;
      if (layer.options.fillColor !== fillColor || layer.options.color !== border) {
        layer.setStyle({ fillColor, color: border });
      }
      this.label(layer);
    }
    this.writeSymbols();
    this.writeLegend();
    this.painted = look;
  }

  writeSymbols() {
    const { picture } = this.memory;
    this.marks = [];
    for (const [code, layer] of this.layers) {
      const { symbol } = picture.classOf(code);
      const { at } = layer.feature.properties;
      if (!symbol || !at) continue;
      const mark = element("span", "wardmap-symbol", symbol);
      this.marks.push({ mark, at: this.L.latLng(at[1], at[0]), bounds: layer.getBounds() });
    }
    this.symbols.replaceChildren(...this.marks.map(({ mark }) => mark));
    this.placeSymbols();
  }

  // A mark grows with its ward, so that it does not bury the colour of a small one. With thousands
  // of wards the marks of those too small to see would bury the map.
  placeSymbols() {
    if (!this.shown || !this.marks) return;
    const smallest = this.layers.size > SVG_WARDS ? 8 : 0;
    for (const { mark, at, bounds } of this.marks) {
      const { x, y } = this.map.latLngToLayerPoint(at);
      const across = this.across(bounds);
      const size = Math.max(7, Math.min(13, 0.6 * across));
      mark.hidden = across < smallest;
      mark.style.cssText = `left:${x}px;top:${y}px;font-size:${size}px`;
    }
  }

  // Borders must not bleach wards that are only a few pixels wide.
  thinBorders() {
    if (!this.shown || !this.wards) return;
    const usual = this.across(this.L.latLngBounds(this.wards.usual));
    const weight = Math.max(0.1, Math.min(BORDER_PX, usual / 20));
    if (weight === this.weight) return;
    this.weight = weight;
    this.group.setStyle({ weight });
  }

  // The shorter side of a box, in pixels on the screen.
  across(bounds) {
    const { x, y } = this.map
      .latLngToLayerPoint(bounds.getSouthEast())
      .subtract(this.map.latLngToLayerPoint(bounds.getNorthWest()));
    return Math.min(x, y);
  }

  writeLegend() {
    const { classes, legend, notice } = this.memory.picture;
    this.legend?.remove();
    this.notice?.remove();
    const box = element("div", "wardmap-legend");
    if (legend) box.append(element("div", "wardmap-legend-title", legend));
    for (const { label, colour, symbol } of classes) {
      const line = element("div", "wardmap-legend-line");
      const swatch = element("span", "wardmap-swatch", symbol);
      if (colour) swatch.style.backgroundColor = colour;
      line.append(swatch, element("span", "wardmap-legend-label", label));
      box.append(line);
    }
    this.L.DomEvent.disableScrollPropagation(box);
    this.legend = this.control("bottomleft", box);
    this.legendBox = box;
    if (notice) this.notice = this.control("topright", element("div", "wardmap-notice", notice));
  }

  tooltip({ id, properties }) {
    const detail = this.memory.picture.details[id];
    const box = element("div");
    box.append(element("strong", "", properties.name));
    if (detail) box.append(element("div", "wardmap-detail", detail));
    return box;
  }

  // ---- clicks and selection ----------------------------------------------------------------

  click(code) {
    if (!this.layers?.has(code)) return;
    const { memory } = this;
    memory.waiting = { number: Date.now(), since: performance.now() };
    this.select(code);
    this.send({ code, number: memory.waiting.number, version: memory.picture.version });
  }

  // The server's selection counts, unless it was sent before the server had seen the last click.
  followSelection() {
    const { waiting, selected } = this.memory;
    const pending =
      waiting &&
      waiting.number !== this.data.answered &&
      performance.now() - waiting.since < ANSWER_WITHIN_MS;
    if (!pending) this.memory.waiting = null;
    this.select(pending ? selected : this.data.selected);
  }

  select(code) {
    this.memory.selected = code;
    this.outline("selected", this.layers.get(code));
    this.root.dataset.selected = code ?? "";
  }

  outline(which, layer) {
    for (const line of this.outlines[which]) line.setLatLngs(layer ? layer.getLatLngs() : []);
  }

  // ---- the view ----------------------------------------------------------------------------

  showView() {
    const { view } = this.memory;
    if (!this.map.getSize().x || !this.map.getSize().y) return; // in a closed tab; resize() comes
    this.shown = true;
    this.fitting = true;
    if (view.fit) {
      this.map.fitBounds(this.wards[view.fit], this.padding(this.wards[view.fit]));
    } else {
      this.map.setView(view.centre, view.zoom, { animate: false });
      const wards = this.L.latLngBounds(this.wards.all);
      if (!this.map.getBounds().intersects(wards)) {
        this.memory.view = { fit: "main" }; // other wards than last time
        this.showView();
      }
    }
    this.fitting = false;
  }

  // Wards are kept clear of the legend where that does not make them smaller.
  padding(bounds) {
    const beside = 12 + this.legendBox.offsetWidth + 12;
    const zoom = (width) => this.map.getBoundsZoom(bounds, false, this.L.point(width, 24));
    const left = zoom(beside + 12) >= zoom(24) ? beside : 12;
    return { animate: false, paddingTopLeft: [left, 12], paddingBottomRight: [12, 12] };
  }

  rememberView() {
    if (this.fitting || this.resizingNow) return;
    this.memory.view = { centre: this.map.getCenter(), zoom: this.map.getZoom() };
  }

  resize() {
    this.resizingNow = true;
    this.map.invalidateSize({ animate: false });
    if (this.wards && (this.memory.view.fit || !this.shown)) this.showView();
    this.resizingNow = false;
  }

  remove() {
    this.turn = -1;
    this.resizing?.disconnect();
    this.map?.stop();
    this.map?.remove();
    this.map = null;
  }
}

// ---- what is read and remembered -----------------------------------------------------------

function readPicture(version, { classes, wards, ...rest }) {
  const byKey = new Map(classes.map((ward_class) => [ward_class.key, ward_class]));
  const byCode = new Map();
  for (const [key, codes] of Object.entries(wards)) {
    for (const code of codes) byCode.set(code, byKey.get(key));
  }
  const neutral = classes.at(-1);
  return { version, classes, classOf: (code) => byCode.get(code) ?? neutral, ...rest };
}

function remembered(memory, url, get) {
  if (!memory.has(url)) {
    const answer = get(absolute(url));
    answer.catch(() => memory.delete(url)); // the next update tries again
    memory.set(url, answer);
  }
  return memory.get(url);
}

// Relative to the page, whatever path the server or a proxy puts in front.
function absolute(url) {
  return new URL(url, document.baseURI).href;
}

async function fetchText(url, cache) {
  const response = await fetch(url, { cache });
  if (!response.ok) throw new Error(`${response.status} for ${url}`);
  return response.text();
}

async function fetchStyles(url) {
  const sheet = new CSSStyleSheet();
  return sheet.replace(await fetchText(url, "default"));
}

async function fetchGeometry(url) {
  // The file's name changes with its content, so a copy in the cache is always right.
  const wards = JSON.parse(await fetchText(url, "force-cache"));
  const boxes = wards.features.map((feature) => boxOf(feature.geometry.coordinates));
  const cluster = largestCluster(boxes);
  return {
    ...wards,
    main: around(cluster.map((index) => boxes[index])),
    core: coreOf(cluster.map((index) => boxes[index])),
    all: around(boxes),
    usual: around([boxOfMedianSize(boxes)]),
    far: cluster.length < boxes.length,
  };
}

function boxOf(coordinates, box = [Infinity, Infinity, -Infinity, -Infinity]) {
  if (typeof coordinates[0] === "number") {
    const [lon, lat] = coordinates;
    box[0] = Math.min(box[0], lon);
    box[1] = Math.min(box[1], lat);
    box[2] = Math.max(box[2], lon);
    box[3] = Math.max(box[3], lat);
  } else {
    for (const part of coordinates) boxOf(part, box);
  }
  return box;
}

function span(box) {
  return Math.min(box[2] - box[0], box[3] - box[1]);
}

function boxOfMedianSize(boxes) {
  return boxes.toSorted((a, b) => span(a) - span(b))[Math.floor(boxes.length / 2)];
}

function around(boxes) {
  const west = Math.min(...boxes.map((box) => box[0]));
  const south = Math.min(...boxes.map((box) => box[1]));
  const east = Math.max(...boxes.map((box) => box[2]));
  const north = Math.max(...boxes.map((box) => box[3]));
  return [
    [south, west],
    [north, east],
  ];
}

// A limit on the distance from the middle would cut off the suburbs of a long city before it cut
// off the island; following near neighbours outwards does not.
function largestCluster(boxes) {
  const narrowing = Math.cos((median(boxes.map((box) => (box[1] + box[3]) / 2)) * Math.PI) / 180);
  const flat = boxes.map(([w, s, e, n]) => [w * narrowing, s, e * narrowing, n]);
  const middle = [0, 1].map((axis) => median(flat.map((box) => (box[axis] + box[axis + 2]) / 2)));
  const near =
    NEAR_SHARE *
    median(
      flat.map((box) =>
        Math.hypot((box[0] + box[2]) / 2 - middle[0], (box[1] + box[3]) / 2 - middle[1]),
      ),
    );
  const gap = (a, b) =>
    Math.hypot(
      Math.max(0, a[0] - b[2], b[0] - a[2]),
      Math.max(0, a[1] - b[3], b[1] - a[3]),
    );
  let unseen = flat.map((_, index) => index);
  let largest = [];
  while (unseen.length > largest.length) {
    const cluster = [unseen.pop()];
    for (const index of cluster) {
      unseen = unseen.filter((other) => {
        const joins = gap(flat[index], flat[other]) <= near;
        if (joins) cluster.push(other);
        return !joins;
      });
    }
    if (cluster.length > largest.length) largest = cluster;
  }
  return largest;
}

// The centre of a city is where its wards are small: the box around the smaller half of them,
// without those far from their middle. Null when that is not clearly smaller than the whole.
function coreOf(boxes) {
  const middle = (box) => [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  const limit = boxOfMedianSize(boxes);
  const small = boxes.filter((box) => span(box) <= span(limit));
  const centre = [0, 1].map((axis) => median(small.map((box) => middle(box)[axis])));
  const away = (box) => Math.hypot(...middle(box).map((value, axis) => value - centre[axis]));
  const near = CORE_REACH * median(small.map(away));
  const core = around(small.filter((box) => away(box) <= near));
  const whole = around(boxes);
  const width = (area) => area[1][1] - area[0][1];
  const height = (area) => area[1][0] - area[0][0];
  const share = Math.max(width(core) / width(whole), height(core) / height(whole));
  return boxes.length >= CORE_FROM_WARDS && share < 0.5 ? core : null;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

// ---- elements ------------------------------------------------------------------------------

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
