export const dynamic = 'force-dynamic';

export const GET = () => new Response(`pid ${process.pid}`);
