// What manifest.json says of a recording. All *_s of tracks, segments and words count from the recording's start.

declare namespace Recording {
  interface Track {
    file: string;
    url: string;
    name: string;
    participant: string;
    publication: string;
    source: Protocol.Source;
    kind: "audio" | "video";
    codec: string;
    start_s: number;
    duration_s: number;
    bytes: number;
    complete: boolean;
  }

  interface Word {
    text: string;
    start_s: number;
    end_s: number;
    probability: number;
  }

  interface Segment {
    id: string;
    participant: string;
    publication: string;
    speaker: string;
    text: string;
    language: string;
    start_s: number;
    end_s: number;
    words: Word[];
  }

  interface Manifest {
    id: string;
    visit: string;
    title: string;
    state: string;
    started_at_s: number;
    duration_s: number | null;
    problem: string | null;
    tracks: Track[];
    segments: Segment[];
  }
}
