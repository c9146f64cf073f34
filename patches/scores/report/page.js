// SPDX-License-Identifier: Apache-2.0
// Plays the report's sounds: one at a time, looping to the sample, with a playhead over the picture.
"use strict";
(() => {
  const bar = document.getElementById("bar");
  if (!bar) return;
  const [toggle, now, time, loop, volume] = ["toggle", "now", "time", "loop", "volume"].map((id) => document.getElementById(id));
  const sounds = document.querySelectorAll("script.sound");
  const players = [...document.querySelectorAll(".player")];
  const cells = new Map(players.filter(inGrid).map((player) => [`${player.dataset.row} ${player.dataset.column}`, player]));
  let context, gain, source; // made by the first click: browsers allow no sound before
  let chosen = players[0]; // what the bar's button and the space bar play
  let playing = null;
  let began = 0; // by the context's clock
  let turn = 0; // a sound that is decoded too late must not start

  function inGrid(player) {
    return player.dataset.row !== undefined;
  }

  function bytes(text) {
    const binary = atob(text);
    const data = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) data[i] = binary.charCodeAt(i);
    return data.buffer;
  }

  function open() {
    const rate = Number(bar.dataset.rate);
    // At the sounds' own rate nothing is resampled at the seam of a loop. Every browser has 8 to 96 kHz.
    context = new AudioContext(rate >= 8000 && rate <= 96000 ? { sampleRate: rate } : {});
    gain = context.createGain();
    gain.connect(context.destination);
    setVolume();
  }

  function setVolume() {
    if (gain) gain.gain.value = volume.value ** 2; // the ear hears squares as about even steps
  }

  function setLoop() {
    if (source) source.loop = loop.checked && playing.dataset.loop === "true";
  }

  function show(player, pressed) {
    player.setAttribute("aria-pressed", pressed);
    player.setAttribute("aria-label", `${pressed ? "Stop" : "Play"} ${player.dataset.called}`);
    player.querySelector(".head").hidden = !pressed;
    bar.classList.toggle("sounding", pressed);
    toggle.setAttribute("aria-label", pressed ? "Stop" : "Play");
  }

  function stop() {
    turn++;
    if (source) {
      source.onended = null;
      source.stop();
      source = undefined;
    }
    if (playing) show(playing, false);
    playing = null;
  }

  async function play(player) {
    stop();
    const mine = turn;
    chosen = playing = player;
    now.textContent = player.dataset.called;
    time.value = "";
    show(player, true);
    try {
      if (!context) open();
      await context.resume();
      const buffer = await context.decodeAudioData(bytes(sounds[player.dataset.sound].textContent));
      if (mine === turn) start(buffer);
    } catch (error) {
      if (mine !== turn) return;
      stop();
      now.textContent = `${player.dataset.called}: this browser can't play it (${error.message})`;
    }
  }

  function start(buffer) {
    source = context.createBufferSource();
    source.buffer = buffer;
    setLoop();
    source.onended = stop;
    source.connect(gain);
    source.start();
    began = context.currentTime;
    requestAnimationFrame(follow);
  }

  function follow() {
    if (!source) return;
    const length = source.buffer.duration;
    const at = Math.max(context.currentTime - began - (context.outputLatency || 0), 0) % length;
    playing.querySelector(".head").style.left = `${(100 * at) / length}%`;
    time.value = `${at.toFixed(2)} / ${length.toFixed(2)} s`;
    requestAnimationFrame(follow);
  }

  function press(player) {
    if (player === playing) stop();
    else play(player);
  }

  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  function move(event) {
    const [down, right] = steps[event.key];
    const { row, column } = document.activeElement.dataset;
    const next = cells.get(`${Number(row) + down} ${Number(column) + right}`);
    event.preventDefault();
    if (!next) return;
    const sounding = playing !== null;
    next.focus();
    if (sounding) play(next);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const focused = document.activeElement;
    if (event.key in steps && focused.classList.contains("player") && inGrid(focused)) move(event);
    else if (event.key === " " && !focused.matches("button, input, a")) {
      event.preventDefault();
      press(chosen);
    } else if (event.key === "Escape") stop();
    else if (event.key.toLowerCase() === "l") loop.click();
  });
  for (const player of players) player.addEventListener("click", () => press(player));
  for (const cell of cells.values()) {
    cell.addEventListener("focus", () => {
      for (const other of cells.values()) other.tabIndex = other === cell ? 0 : -1;
    });
  }
  toggle.addEventListener("click", () => press(chosen));
  volume.addEventListener("input", setVolume);
  loop.addEventListener("change", setLoop);
})();
